"""Refuses content of tables written over the network that would give their authors more than their permissions.

Somebody who writes to the server's disk controls the server anyway; a remote author does not. A file can name Python, which runs;
environment variables, which hold secrets; and paths that the server can read and the author cannot. The policy checks the
effective content: with `${NAME}` replaced, links followed, and suites loaded. Every load of the project checks it again, since
a variable, a link or a suite may change later. Content that an author with more permissions wrote before may stay.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dq_pipelines.config.interpolation import interpolate, names_in
from dq_pipelines.config.settings import DEFAULTS
from dq_pipelines.config.yaml_file import Location
from dq_pipelines.project.author_sql import objection
from dq_pipelines.project.authors import Author
from dq_pipelines.project.model import Table
from dq_pipelines.rules.core.auxiliary_queries import PythonRegex, ReadsAsJson
from dq_pipelines.rules.core.gx_expectations import RowsByGx, TableByGx
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.core.on_tables import QueryRule
from dq_pipelines.rules.core.query import BATCH
from dq_pipelines.rules.library.functions import PythonFunction
from dq_pipelines.rules.library.sql import RowsSql
from dq_pipelines.sources.places import is_below, local_path
from dq_pipelines.transforms.steps import Derive, Filter, Python, Sql

#: Longest file in bytes; more than a table needs.
LONGEST = 256 * 1024

Objection = tuple[Location, str]

_NO_PYTHON = "wanted no Python from afar unless by an admin of everything"


@dataclass(frozen=True)
class Trust:
    """What the author of a file may use of the server."""

    author: Author
    #: folders and URLs below which a source may read, `${NAME}` replaced
    places: tuple[str, ...] = ()
    #: variables of the environment that the file may name
    variables: frozenset[str] = frozenset({"DQ_LANDING"})

    @classmethod
    def of(cls, author: Author, environment: Mapping[str, str] | None = None) -> Trust:
        """From the landing folder, `DQ_REST_PLACES` and `DQ_REST_VARIABLES` (separated by commas).

        An author with grants only for domains or teams reads below `<place>/<domain>` and `<place>/team-<team>`.
        """
        variables = os.environ if environment is None else environment
        landing = variables.get("DQ_LANDING") or DEFAULTS["DQ_LANDING"]
        places = [landing, *(interpolate(place, environment).text for place in _listed(variables, "DQ_REST_PLACES"))]
        if author.is_scoped:
            folders = [folder_of(scope) for scope in author.scopes]
            places = [f"{place.rstrip('/')}/{folder}" for place in places for folder in folders]
        return cls(author, tuple(places), frozenset({"DQ_LANDING", *_listed(variables, "DQ_REST_VARIABLES")}))

    def to_text(self, raw: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Objection]:
        """Objections to the content, found before anything that it names is imported or read.

        `raw` has `${NAME}` not replaced; in `value` it is replaced, and a suite's path by its rules.
        """
        for place, text in _texts(raw):
            foreign = sorted(names_in(text) - self.variables)
            if foreign:
                wanted = f"wanted {', '.join(sorted(self.variables))}, or the text that stood here before"
                yield place, f"{wanted}, got ${{{foreign[0][:60]}}} (DQ_REST_VARIABLES names more)"
        yield from self._path(raw, value)
        if not self.author.functions:
            for place, name in _functions(value):
                yield place, f"{_NO_PYTHON}, got '{name[:60]}'"

    def to_suite(self, path: Path, folder: Path) -> str:
        """One sentence if the suite is outside of the domain's `folder`, links followed; else ""."""
        if path.resolve().is_relative_to(folder.resolve()):
            return ""
        return f"wanted a suite below the table's own folder, got '{path.name[:60]}' elsewhere"

    def to_model(self, table: Table) -> Iterator[Objection]:
        """Objections to a loaded table: to its SQL, its functions, and regexes that only Python can run."""
        if self.author.functions:
            return
        yield from objections_to_rules(table)
        if table.is_gold:
            if table.gold.python is not None:
                yield ("gold", "python"), f"{_NO_PYTHON}, got '{table.gold.python[:60]}'"
            if table.gold.sql is not None and (why := objection(table.gold.sql, ())):
                yield ("gold", "sql"), why
            return
        for index, step in enumerate(table.landed.silver.transform):
            for why in _step(step):
                yield ("silver", "transform", index), why
        if not isinstance(getattr(table.landed.source, "path", None), str):
            yield ("source", "type"), "wanted a source of files or a Delta table, got one that reads elsewhere"

    def _path(self, raw: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Objection]:
        path = _source_path(value)
        if path is not None and not any(is_below(path, place) for place in self.places):
            allowed = "a place below DQ_LANDING or one of DQ_REST_PLACES"
            if self.author.is_scoped:
                folders = " or ".join(f"{folder_of(scope)}/" for scope in self.author.scopes)
                allowed = f"a place below DQ_LANDING, in its folder {folders}"
            yield ("source", "path"), f"wanted {allowed}, got '{(_source_path(raw) or '')[:120]}'"


def functions_of_data(value: Mapping[str, Any]) -> Iterator[Objection]:
    """Objections to Python functions that a suite in the landing folder names: whoever delivers data can write there."""
    for place, name in _functions(value):
        if place[1:2] == ("rules",):
            yield place, f"wanted no Python in a suite below DQ_LANDING, where data land, got '{name[:60]}'"


def objections_to_rules(table: Table) -> Iterator[Objection]:
    """Objections to rules that came over the network, or from the landing folder."""
    layer = "gold" if table.is_gold else "silver"
    for index, rule in enumerate(table.rules):
        for why in _rule(rule):
            yield (layer, "rules", index), why


def stood_before(place: Location, raw: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether `base` has the same content at `place`: the same value, or the same item in the same list."""
    now, then = _unit(place, raw), _unit(place, base)
    if now is None or then is None:
        return False
    if isinstance(now, _Item) and isinstance(then, _Item):
        return now.item in then.items
    return bool(now == then)


@dataclass(frozen=True)
class _Item:
    """An item of a list; its index does not matter."""

    item: Any
    items: Sequence[Any]


def _unit(place: Location, content: Any) -> Any:
    """The unit of comparison at `place`: an item of the first list on the path, or the value at its end."""
    for step in place:
        if isinstance(content, list):
            return _Item(content[step] if isinstance(step, int) and step < len(content) else None, content)
        if not isinstance(content, Mapping):
            return content  # a text such as the path of a suite; the place is within that file
        if step not in content:
            return None
        content = content[step]
    return content


def _rule(rule: Any) -> Iterator[str]:
    if isinstance(rule, PythonFunction | RowsByGx | TableByGx):
        yield f"{_NO_PYTHON}, got '{getattr(rule, 'function', rule.type)[:60]}'"
    elif isinstance(rule, QueryRule):
        yield from filter(None, (objection(query.sql, (BATCH,)) for query in rule.queries))
    elif isinstance(rule, RowsSql):
        yield from filter(None, [objection(rule.sql, (), is_expression=True)])
    elif isinstance(rule, RowRule):
        aside = rule.auxiliary_query()
        if isinstance(aside, PythonRegex):
            yield "wanted a regex without look-around and back-references from afar, got one that only Python can run"
        elif isinstance(aside, ReadsAsJson) and aside.schema is not None and '"pattern' in aside.schema:
            yield "wanted a JSON Schema without patterns from afar, got one whose regexes Python runs"


def _step(step: Any) -> Iterator[str]:
    match step:
        case Python():
            yield f"{_NO_PYTHON}, got '{step.python[:60]}'"
        case Sql():
            yield from filter(None, [objection(step.sql, ("self",))])
        case Filter():
            yield from filter(None, [objection(step.filter, ("self",), is_expression=True)])
        case Derive():
            yield from filter(None, (objection(text, ("self",), is_expression=True) for text in step.derive.values()))


def folder_of(scope: str) -> str:
    """The landing subfolder for grants of this scope; `team-` cannot collide, as no domain has a dash in its name."""
    kind, _, name = scope.partition(":")
    return name if kind == "domain" else f"team-{name}"


def _listed(given: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in given.get(name, "").split(",") if part.strip()]


def _source_path(content: Mapping[str, Any]) -> str | None:
    source = content.get("source")
    path = source.get("path") if isinstance(source, dict) else None
    return path if isinstance(path, str) else None


def is_in_landing(path: Path, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a file is below the landing folder, with links followed or not."""
    given = os.environ if environment is None else environment
    landing = given.get("DQ_LANDING") or DEFAULTS["DQ_LANDING"]
    return is_below(str(path), landing) or local_path(str(path)).startswith(local_path(landing).rstrip("/") + "/")


def _functions(content: Mapping[str, Any]) -> Iterator[Objection]:
    """Where Python is named: `python:`, `function:`, and custom expectations."""
    for layer in ("silver", "gold"):
        section = content.get(layer)
        if not isinstance(section, Mapping):
            continue
        for key in ("transform", "rules", "python"):
            for place, text in _texts(section.get(key), (layer, key)):
                is_expectation = place[-1] in ("type", "expectation_type") and ":" in text
                if place[-1] in ("python", "function") or is_expectation:
                    yield place, text


def _texts(value: Any, place: Location = ()) -> Iterator[tuple[Location, str]]:
    """Every text within `value`, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*place, index))
