"""Reads and validates one file of a project, and collects everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from polars.exceptions import PanicException
from pydantic import ValidationError

from dq_pipelines.config.functions import importing_nothing
from dq_pipelines.config.model import Strict, sentence, shown
from dq_pipelines.config.yaml_file import Location, YamlFile, read_text, read_yaml
from dq_pipelines.engine.rules_file import RulesFile, read_rules_file
from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.project.authors import Authorship, authorship_of
from dq_pipelines.project.model import LeftOut, Table, owners_of
from dq_pipelines.project.names import NAME, wrong_names
from dq_pipelines.project.pruning import without
from dq_pipelines.project.remote_policy import (
    Trust,
    functions_of_data,
    is_in_landing,
    objections_to_rules,
    stood_before,
)
from dq_pipelines.project.sentences import joined, named, place_of, with_key
from dq_pipelines.project.tables import GoldTable, LandedTable, ProjectSettings

SETTINGS = "project"


@dataclass(frozen=True)
class Change:
    """A file as it would be after a change."""

    #: relative to the project's folder
    relative: Path
    #: a file with the new text; None: the file is deleted
    content: Path | None
    #: who sends it over the network; None: written on the disk
    authorship: Authorship | None = None


@dataclass
class Draft:
    """One file being read into a table, with its problems."""

    root: Path
    relative: Path
    environment: Mapping[str, str] | None
    problems: list[Problem] = field(default_factory=list)
    #: whether an earlier file has this name
    is_second: bool = False
    yaml: YamlFile | None = None
    suite: RulesFile | None = None
    #: the path of the suite that `rules` names
    suite_path: Path | None = None
    #: the record of the file if it was written over the network
    authorship: Authorship | None = None
    #: the change to read in place of what is on the disk
    change: Change | None = None
    model: Strict | None = None
    table: Table | None = None
    #: whether the file keeps functions that an author with that permission wrote before
    _keeps_functions: bool = False

    @property
    def file(self) -> str:
        return str(self.root / self.relative)

    @property
    def path(self) -> Path:
        """The file whose text is read."""
        return self.change.content if self.change and self.change.content else self.root / self.relative

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
        """What other files may refer to, even when this file is invalid; "" for a file that is no table."""
        return "" if self.is_settings else f"{self.layer}/{self.name}"

    def in_order(self) -> list[Problem]:
        """The problems, each once: this file's by line, then its suite's."""
        return sorted(dict.fromkeys(self.problems), key=lambda problem: (problem.file != self.file, problem.line))

    def read(self) -> None:
        """Read and validate the file; every failure becomes a problem of this file alone."""
        self.problems += [Problem(self.file, 0, why) for why in wrong_names(self.root, self.relative, SETTINGS)]
        try:
            self._read()
        except (Exception, PanicException) as error:  # noqa: BLE001 - a library's error must not stop the other files
            self.model = self.table = None
            self.problems.append(Problem(self.file, 0, self._unreadable(error)))

    def _unreadable(self, error: BaseException) -> str:
        """Omits the library's message for a remote author: it may quote what they may not see."""
        text = next(iter(str(error).splitlines()), "") if self.authorship is None and self.yaml is not None else ""
        return f"wanted a {'table' if not self.is_settings else 'file'} that can be read, got {text or type(error).__name__}"

    def _read(self) -> None:
        try:
            self.authorship = self._authorship()
            self.yaml = read_yaml(self.path, self.file, self.environment)
        except ConfigError as error:
            self.problems += error.problems
            return
        self.problems += self.yaml.problems
        value = dict(self.yaml.value)
        if self.is_settings:
            self.model = self._validated(ProjectSettings, value) if self.name == SETTINGS else None
            return
        kind = GoldTable if self.layer == "gold" else LandedTable
        if self._has_one_kind(value):
            try:
                self._load_suite(value)
            except ConfigError as error:
                self.problems += error.problems
            if not self._author_may_write(value):
                return
            with importing_nothing() if self._forbids_functions else nullcontext():
                self.model = self._validated(kind, value)
        if isinstance(self.model, LandedTable | GoldTable) and not self.is_second:
            rules = range(len((self.model.gold if isinstance(self.model, GoldTable) else self.model.silver).rules))
            lines = tuple(self.yaml.line((self.layer, "rules", index)) for index in rules)
            parts = self.yaml.line(("partitions", "in_path")) if "partitions" in value else 0
            table = Table(self.name, self.relative.parts[0], self.model, self.file, lines, partitions_line=parts)
            self._set_table(table)

    def _has_one_kind(self, value: Mapping[str, Any]) -> bool:
        if ("gold" in value) != ("source" in value):
            return True
        if "gold" in value:
            self.find(("gold",), "wanted one of source (a table that lands) and gold (one that is computed), got both")
            return False
        # If an unknown key is a misspelling of one of the two, the model reports it.
        near = [key for key in value if nearest(key, ["source", "gold"])]
        if not near:
            self.find((), "wanted source (a table that lands) or gold (one that is computed), found neither")
        return bool(near)

    def _load_suite(self, value: dict[str, Any]) -> None:
        """Replace a path, such as `rules: suites/orders.json`, by the rules of that file."""
        section = value.get(self.layer)
        if not isinstance(section, dict) or not isinstance(name := section.get("rules"), str):
            return
        value[self.layer] = {**section, "rules": []}
        path = self.suite_path = (self.root / self.relative).parent / name
        if why := self._suite_objection(path):
            self.find((self.layer, "rules"), why)
            return
        if (why_not := _why_no_json(path)) is not None:
            wanted = "wanted a list of rules or the path of a GX suite in JSON"
            self.suite_path = None
            self.find((self.layer, "rules"), f"{wanted}, got {shown(name)}: {why_not}")
            return
        self.suite = read_rules_file(path)
        value[self.layer]["rules"] = self.suite.rules

    def _validated(self, kind: type[Strict], value: Mapping[str, Any]) -> Strict | None:
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            by_place: dict[Location, list[str]] = {}
            for line in error.errors(include_url=False):
                # An unknown kind is an error of `type`, which may be on a line of its own.
                steps = (*line["loc"], "type") if line["type"] == "union_tag_invalid" else line["loc"]
                by_place.setdefault(place_of(value, steps), []).append(sentence(line))
            reported: dict[Location, list[str]] = {}
            for place, messages in by_place.items():
                reported[place] = [named(kind, place, message) for message in joined(list(dict.fromkeys(messages)))]
                for message in reported[place]:
                    self.find(place, with_key(place, message))
            # Validate again without these, to report independent problems in the same pass.
            rest = without(value, self.layer, reported)
            return None if rest is None else self._validated(kind, rest)

    # --- what its author may write ----------------------------------------------------------------

    def _authorship(self) -> Authorship | None:
        if self.is_settings:
            return None
        return self.change.authorship if self.change is not None else authorship_of(self.root / self.relative)

    @property
    def _trust(self) -> Trust | None:
        return None if self.authorship is None else Trust.of(self.authorship.author, self.environment)

    @property
    def _forbids_functions(self) -> bool:
        return self.authorship is not None and not self.authorship.author.functions and not self._keeps_functions

    @property
    def _suite_is_data(self) -> bool:
        """Whether the suite is in the landing folder: then the table's author did not write it."""
        return self.suite_path is not None and is_in_landing(self.suite_path, self.environment)

    def _suite_objection(self, path: Path) -> str:
        trust = self._trust
        if trust is None or self._stood_before((self.layer, "rules")):
            return ""
        return trust.to_suite(path, (self.root / self.relative).parent)

    def _author_may_write(self, value: Mapping[str, Any]) -> bool:
        """Whether the author has the permissions for all of the file; else the problems are added and nothing is used."""
        before = len(self.problems)
        if self._suite_is_data:
            for place, message in functions_of_data(value):
                self._refuse(place, message)
        trust = self._trust
        for place, message in trust.to_text(self._raw, value) if trust is not None else ():
            if self._stood_before(place):
                self._keeps_functions |= "Python" in message
            else:
                self._refuse(place, message)
        return len(self.problems) == before

    def _set_table(self, table: Table) -> None:
        trust, before = self._trust, len(self.problems)
        if self._suite_is_data:
            for place, message in objections_to_rules(table):
                self._refuse(place, message)
        for place, message in trust.to_model(table) if trust is not None else ():
            if not self._stood_before(place):
                self._refuse(place, message)
        if trust is not None and isinstance(table.model, LandedTable) and not self._stood_before(("source", "path")):
            source = table.model.source.confined_to(trust.places)
            table = replace(table, model=table.model.model_copy(update={"source": source}))
        self.table = table if len(self.problems) == before else None

    @cached_property
    def _raw(self) -> Mapping[str, Any]:
        """The content of the file, `${NAME}` not replaced."""
        content: Mapping[str, Any] = read_yaml(self.path, self.file, literal=True).value
        return content

    @cached_property
    def _base(self) -> Mapping[str, Any]:
        """The earlier content, by an author with more permissions."""
        if self.authorship is None or self.authorship.base is None:
            return {}
        try:
            content = read_text(self.authorship.base, self.file, literal=True).value
        except ConfigError:
            return {}
        return content if isinstance(content, dict) else {}

    def _stood_before(self, place: Location) -> bool:
        return stood_before(place, self._raw, self._base)

    def _refuse(self, place: Location, message: str) -> None:
        """Add a problem about permissions, even where a `${NAME}` has no value."""
        assert self.yaml is not None  # noqa: S101 - places come from a file that was read
        self.problems.append(self._problem(place, message))

    # --- what is wrong with it ---------------------------------------------------------------------

    def left_out(self, waits_for: str = "") -> LeftOut:
        """This file as a table that no run includes."""
        content = self.yaml.value if self.yaml is not None else {}
        has_name = NAME.fullmatch(self.name) and NAME.fullmatch(self.relative.parts[0])
        key = self.key if has_name and not self.is_second else ""
        domain = "" if self.is_settings else self.relative.parts[0]
        return LeftOut(self.name, domain, key, self.file, owners_of(content), tuple(self.in_order()), waits_for)

    def find(self, place: Location, message: str, line_in_block: int = 0) -> None:
        """Add a problem at `place`: in the file, or in the suite when the place is one of its rules."""
        assert self.yaml is not None  # noqa: S101 - places come from a file that was read
        if place in self.yaml.unresolved:
            return  # reported already: a `${NAME}` has no value
        self.problems.append(self._problem(place, message, line_in_block))

    def _problem(self, place: Location, message: str, line_in_block: int = 0) -> Problem:
        assert self.yaml is not None  # noqa: S101 - places come from a file that was read
        if self.suite is not None and place[:2] == (self.layer, "rules") and len(place) > 2:
            return self.suite.problem(place[2:], message)
        block = self.yaml.blocks.get(place)
        line = block + line_in_block - 1 if block and line_in_block else None
        return self.yaml.problem(place, message, line)


def _why_no_json(path: Path) -> str | None:
    """Why a path is not a JSON file; None if it is one."""
    if path.suffix != ".json":
        return "another ending"
    try:
        return None if path.is_file() else "no such file"
    except (OSError, ValueError) as error:  # a name that no file can have
        return getattr(error, "strerror", None) or str(error)
