"""From a folder of YAML files to a Project, or to everything that is wrong with them, with file and line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dq_pipelines.config.model import Strict, sentence
from dq_pipelines.config.yaml_file import Location, YamlFile, read_yaml
from dq_pipelines.engine.rules_file import RulesFile, read_rules_file
from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.project.pruning import without
from dq_pipelines.project.references import findings
from dq_pipelines.project.tables import GoldTable, LandedTable, ProjectSettings, Silver
from dq_pipelines.project.whole import Project, Table

NAME = re.compile(r"[a-z][a-z0-9_]*")
_ENDINGS = (".yaml", ".yml")
_SETTINGS = "project"


def load_project(path: str | Path = "assets_config", *, environment: Mapping[str, str] | None = None) -> Project:
    """The project in the folder `path`: a table per `<domain>/<table>.yaml`, and `project.yaml`.

    `environment` gives the values of `${NAME}`, by default those of the process. Raises ConfigError with
    every problem of every file, in the order of the files.
    """
    root = Path(path)
    if not root.is_dir():
        raise ConfigError([Problem(str(path), 0, f"wanted a folder of <domain>/<table>.yaml, found {_instead(root)}")])
    files = [_Draft(root, relative, environment) for relative in yaml_files(root)]
    if not files:
        raise ConfigError([Problem(str(path), 0, "wanted at least one <domain>/<table>.yaml, found none")])
    _refuse_same_names(files)
    for file in files:
        file.read()
    settings = next((file.model for file in files if isinstance(file.model, ProjectSettings)), ProjectSettings())
    drafts = {file.table.name: file for file in files if file.table is not None}
    tables = {name: _with_retries(draft.table, settings) for name, draft in drafts.items() if draft.table}
    project = Project(settings, tables, str(path))
    for finding in findings(project, [file.key for file in files if file.key]):
        drafts[finding.table.name].find(finding.place, finding.message, finding.line_in_block)
    if problems := [problem for file in files for problem in file.in_order()]:
        raise ConfigError(problems)
    return project


def _with_retries(table: Table, settings: ProjectSettings) -> Table:
    own = table.model.retries if isinstance(table.model, LandedTable) else None
    return replace(table, retries=own or settings.retries)


def _instead(path: Path) -> str:
    if path.exists():
        return "a file"
    parent = path.parent
    folders = [entry.name for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []
    return f"none{nearest(path.name, folders)}"


def yaml_files(root: Path) -> list[Path]:
    """Relative paths: `project.yaml` first, then the domains and their files by name."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        place = Path(folder).relative_to(root)
        found += [place / name for name in names if name.endswith(_ENDINGS) and not name.startswith(".")]
    return sorted(found, key=lambda path: (len(path.parts) > 1, path.parts))


def _refuse_same_names(files: Sequence[_Draft]) -> None:
    first: dict[str, _Draft] = {}
    for file in files:
        known = first.setdefault(file.name, file)
        if known is not file:
            file.problems.append(
                Problem(file.file, 0, f"duplicate table '{file.name}': {known.file} describes it already")
            )
            file.is_second = True


@dataclass
class _Draft:
    """One file on its way to be a table: what it says, and what is wrong with it."""

    root: Path
    relative: Path
    environment: Mapping[str, str] | None
    problems: list[Problem] = field(default_factory=list)
    #: whether another file has this name already
    is_second: bool = False
    yaml: YamlFile | None = None
    suite: RulesFile | None = None
    model: Strict | None = None
    table: Table | None = None

    @property
    def file(self) -> str:
        return str(self.root / self.relative)

    @property
    def name(self) -> str:
        return self.relative.stem

    @property
    def is_settings(self) -> bool:
        return len(self.relative.parts) == 1

    @property
    def layer(self) -> str:
        return "gold" if self.yaml is not None and "gold" in self.yaml.value else "silver"

    @property
    def key(self) -> str:
        """What others may refer to, even when this file is not sound; "" for a file that is no table."""
        return "" if self.is_settings else f"{self.layer}/{self.name}"

    def in_order(self) -> list[Problem]:
        """What is wrong, each problem once: this file's by line, then its suite's."""
        return sorted(dict.fromkeys(self.problems), key=lambda problem: (problem.file != self.file, problem.line))

    def read(self) -> None:
        self._check_names()
        try:
            self.yaml = read_yaml(self.root / self.relative, self.file, self.environment)
        except ConfigError as error:
            self.problems += error.problems
            return
        self.problems += self.yaml.problems
        value = dict(self.yaml.value)
        if self.is_settings:
            self.model = self._validated(ProjectSettings, value) if self.name == _SETTINGS else None
            return
        kind = GoldTable if self.layer == "gold" else LandedTable
        if self._knows_its_kind(value):
            try:
                self._put_suite(value)
            except ConfigError as error:
                self.problems += error.problems
            self.model = self._validated(kind, value)
        if isinstance(self.model, LandedTable | GoldTable) and not self.is_second:
            rules = range(len((self.model.gold if isinstance(self.model, GoldTable) else self.model.silver).rules))
            lines = tuple(self.yaml.line((self.layer, "rules", index)) for index in rules)
            self.table = Table(self.name, self.relative.parts[0], self.model, self.file, lines)

    def _check_names(self) -> None:
        if self.is_settings:
            if self.name != _SETTINGS:
                wanted = f"{self.root / '<domain>' / self.relative.name}, or project.yaml"
                self.problems.append(
                    Problem(self.file, 0, f"wanted {wanted}: a table stands in the folder of its domain")
                )
            return
        for what, name in (("domain", self.relative.parts[0]), ("table", self.name)):
            if not NAME.fullmatch(name):
                self.problems.append(
                    Problem(self.file, 0, f"wanted a {what} of a-z, 0-9 and _ that begins with a letter, got '{name}'")
                )

    def _knows_its_kind(self, value: Mapping[str, Any]) -> bool:
        if ("gold" in value) != ("source" in value):
            return True
        if "gold" in value:
            self.find(("gold",), "wanted one of source (a table that lands) and gold (one that is computed), got both")
            return False
        # An unknown key is likely one of the two, misspelt: then the model says so.
        near = [key for key in value if nearest(key, ["source", "gold"])]
        if not near:
            self.find((), "wanted source (a table that lands) or gold (one that is computed), found neither")
        return bool(near)

    def _put_suite(self, value: dict[str, Any]) -> None:
        """Put the rules of the file that `rules: suites/orders.json` names in its place."""
        section = value.get(self.layer)
        if not isinstance(section, dict) or not isinstance(name := section.get("rules"), str):
            return
        value[self.layer] = {**section, "rules": []}
        path = (self.root / self.relative).parent / name
        if path.suffix != ".json" or not path.is_file():
            found = "no such file" if path.suffix == ".json" else "another ending"
            self.find(
                (self.layer, "rules"),
                f"wanted a list of rules or the path of a GX suite in JSON, got {name!r}: {found}",
            )
            return
        self.suite = read_rules_file(path)
        value[self.layer]["rules"] = self.suite.rules

    def _validated(self, kind: type[Strict], value: Mapping[str, Any]) -> Strict | None:
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            said: dict[Location, list[str]] = {}
            for line in error.errors(include_url=False):
                # An unknown kind is the fault of `type`, which may stand on a line of its own.
                steps = (*line["loc"], "type") if line["type"] == "union_tag_invalid" else line["loc"]
                said.setdefault(_place(value, steps), []).append(sentence(line))
            told: dict[Location, list[str]] = {}
            for place, messages in said.items():
                told[place] = [_named(kind, place, message) for message in _joined(list(dict.fromkeys(messages)))]
                for message in told[place]:
                    self.find(place, _with_key(place, message))
            # What else is wrong is said in the same go, as far as it has nothing to do with these.
            left = without(value, self.layer, told)
            return None if left is None else self._validated(kind, left)

    def find(self, place: Location, message: str, line_in_block: int = 0) -> None:
        """Note what is wrong at `place`: in the file, or in the suite when the place is one of its rules."""
        assert self.yaml is not None  # noqa: S101 - places come from a file that was read
        if place in self.yaml.unresolved:
            return  # said already: a name has no value
        if self.suite is not None and place[:2] == (self.layer, "rules") and len(place) > 2:
            self.problems.append(self.suite.problem(place[2:], message))
            return
        block = self.yaml.blocks.get(place)
        line = block + line_in_block - 1 if block and line_in_block else None
        self.problems.append(self.yaml.problem(place, message, line))


# --- from pydantic's places to the file's ----------------------------------------------------------


def _place(value: Any, steps: Sequence[str | int]) -> Location:
    """The place in `value` that pydantic's `loc` means.

    A `loc` has steps that no file has: a union's tag, a branch's type, the `kwargs` that a rule may or
    may not have. Each step is taken or left, so that the last one is met if it can be, and most of them.
    """
    best: tuple[tuple[bool, int], Location] = ((False, 0), ())
    for place, met, last in _ways(value, tuple(steps), ()):
        best = max(best, ((last, met), place), key=lambda way: way[0])
    return best[1]


def _ways(
    value: Any, steps: Location, place: Location, met: int = 0, last: bool = False
) -> Iterator[tuple[Location, int, bool]]:
    if not steps:
        yield place, met, last
        return
    step, rest = steps[0], steps[1:]
    for inside, path in ((value, ()), (value.get("kwargs"), ("kwargs",)) if isinstance(value, dict) else (None, ())):
        if isinstance(inside, dict) and step in inside:
            yield from _ways(inside[step], rest, (*place, *path, step), met + 1, True)
        elif isinstance(inside, list) and isinstance(step, int) and step < len(inside):
            yield from _ways(inside[step], rest, (*place, step), met + 1, True)
    yield from _ways(value, rest, place, met, False)


def _joined(messages: list[str]) -> list[str]:
    """The branches of a union as one sentence: each says what it wanted, and all got the same."""
    halves = [re.fullmatch(r"wanted (.*), got (.*)", message) for message in messages]
    if len(messages) < 2 or not all(halves) or len({half[2] for half in halves if half}) > 1:
        return messages
    wanted = " or ".join(half[1] for half in halves if half)
    return [f"wanted {wanted}, got {halves[0][2]}"] if halves[0] else messages


def _with_key(place: Location, message: str) -> str:
    key = next((step for step in reversed(place) if isinstance(step, str)), "")
    return f"{key}: {message}" if key and message.startswith("wanted ") else message


#: What an unknown `type` is, by where it stands.
_KINDS = {"rules": "unknown rule", "source": "unknown source"}


def _named(kind: type[Strict], place: Location, message: str) -> str:
    """`message` with the noun that belongs to its place, and where a key belongs that stands one level too high."""
    around = [step for step in place if isinstance(step, str) and step != "type"]
    if around and around[-1] in _KINDS:
        message = re.sub(r"^unknown type(?= ')", _KINDS[around[-1]], message)
    if (
        len(place) == 1
        and message.startswith("unknown key")
        and kind is LandedTable
        and place[0] in Silver.model_fields
    ):
        return f"unknown key '{place[0]}': it belongs under silver"
    return message
