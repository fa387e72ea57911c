"""What a table's file may not say when it came over the network, although one that was written on the server's disk may.

Who writes to the disk of the server is its master already. Who may change tables over the network is not: a file can name
Python, which is run, variables of the environment, which hold secrets, and places, which the server can read and its author
cannot. What is judged is what the file means: with `${NAME}` replaced, links followed, and the rules of a suite in their
place. It is judged each time the project is loaded, since a variable, a link or a suite may change after the file was accepted.
What stood there before, by somebody who was allowed to write it, may stay.
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

#: Bytes: more than a table needs.
LONGEST = 256 * 1024

Objection = tuple[Location, str]

_NO_PYTHON = "wanted no Python from afar unless by an admin of everything"


@dataclass(frozen=True)
class Trust:
    """How far the author of a file is trusted."""

    author: Author
    #: folders and addresses below which a source may read, `${NAME}` replaced
    places: tuple[str, ...] = ()
    #: variables of the environment that the file may name
    variables: frozenset[str] = frozenset({"DQ_LANDING"})

    @classmethod
    def of(cls, author: Author, environment: Mapping[str, str] | None = None) -> Trust:
        """By the landing folder, `DQ_REST_PLACES` and `DQ_REST_VARIABLES` (separated by commas).

        An author with grants for domains or teams alone reads below `<place>/<domain>` and `<place>/team-<team>`.
        """
        given = os.environ if environment is None else environment
        landing = given.get("DQ_LANDING") or DEFAULTS["DQ_LANDING"]
        places = [landing, *(interpolate(one, environment).text for one in _listed(given, "DQ_REST_PLACES"))]
        if author.is_scoped:
            folders = [_folder(scope) for scope in author.scopes]
            places = [f"{place.rstrip('/')}/{folder}" for place in places for folder in folders]
        return cls(author, tuple(places), frozenset({"DQ_LANDING", *_listed(given, "DQ_REST_VARIABLES")}))

    def to_text(self, raw: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Objection]:
        """What is not for this author, before anything of it is imported or read.

        `raw` has `${NAME}` as it stands; in `value` it is replaced, and the rules of a suite stand in their place.
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
        """One sentence for a suite that this author may not name: one outside of the domain's `folder`, links followed."""
        if path.resolve().is_relative_to(folder.resolve()):
            return ""
        return f"wanted a suite below the table's own folder, got '{path.name[:60]}' elsewhere"

    def to_model(self, table: Table) -> Iterator[Objection]:
        """What is not for this author in a table that was read: its SQL, its functions, and regexes that only Python can run."""
        if self.author.functions:
            return
        yield from objections_to_rules(table)
        if table.is_gold:
            if table.gold.python is not None:
                yield ("gold", "python"), f"{_NO_PYTHON}, got '{table.gold.python[:60]}'"
            if table.gold.sql is not None and (said := objection(table.gold.sql, ())):
                yield ("gold", "sql"), said
            return
        for index, step in enumerate(table.landed.silver.transform):
            for said in _step(step):
                yield ("silver", "transform", index), said
        if not isinstance(getattr(table.landed.source, "path", None), str):
            yield ("source", "type"), "wanted a source of files or a Delta table, got one that reads elsewhere"

    def _path(self, raw: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Objection]:
        address = _source_path(value)
        if address is not None and not any(is_below(address, place) for place in self.places):
            theirs = "a place below DQ_LANDING or one of DQ_REST_PLACES"
            if self.author.is_scoped:
                folders = " or ".join(f"{_folder(scope)}/" for scope in self.author.scopes)
                theirs = f"a place below DQ_LANDING, in its folder {folders}"
            yield ("source", "path"), f"wanted {theirs}, got '{(_source_path(raw) or '')[:120]}'"


def functions_of_data(value: Mapping[str, Any]) -> Iterator[Objection]:
    """Functions named by a suite that lies in the landing folder: data land there, whoever wrote the table."""
    for place, name in _functions(value):
        if place[1:2] == ("rules",):
            yield place, f"wanted no Python in a suite below DQ_LANDING, where data land, got '{name[:60]}'"


def objections_to_rules(table: Table) -> Iterator[Objection]:
    """What rules may not say that came over the network, or from the landing folder."""
    layer = "gold" if table.is_gold else "silver"
    for index, rule in enumerate(table.rules):
        for said in _rule(rule):
            yield (layer, "rules", index), said


def stood_before(place: Location, raw: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether what is said at `place` stood there before: the same value, or the same item of the same list."""
    now, then = _unit(place, raw), _unit(place, base)
    if now is None or then is None:
        return False
    if isinstance(now, _Item) and isinstance(then, _Item):
        return now.item in then.of
    return bool(now == then)


@dataclass(frozen=True)
class _Item:
    #: the item of a list that a place leads through; its place in the list is of no matter
    item: Any
    of: Sequence[Any]


def _unit(place: Location, said: Any) -> Any:
    """What of a file is one thing at `place`: an item of the first list on the way, or the value where the way ends."""
    for step in place:
        if isinstance(said, list):
            return _Item(said[step] if isinstance(step, int) and step < len(said) else None, said)
        if not isinstance(said, Mapping):
            return said  # a text such as the path of a suite, in which the place lies
        if step not in said:
            return None
        said = said[step]
    return said


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


def _folder(scope: str) -> str:
    """The folder of landing that is for who has a grant of this scope; no domain has a dash in its name."""
    kind, _, name = scope.partition(":")
    return name if kind == "domain" else f"team-{name}"


def _listed(given: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in given.get(name, "").split(",") if part.strip()]


def _source_path(said: Mapping[str, Any]) -> str | None:
    source = said.get("source")
    path = source.get("path") if isinstance(source, dict) else None
    return path if isinstance(path, str) else None


def is_in_landing(path: Path, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a file lies below the landing folder, links followed or not."""
    given = os.environ if environment is None else environment
    landing = given.get("DQ_LANDING") or DEFAULTS["DQ_LANDING"]
    return is_below(str(path), landing) or local_path(str(path)).startswith(local_path(landing).rstrip("/") + "/")


def _functions(said: Mapping[str, Any]) -> Iterator[Objection]:
    """Where Python is named: `python:`, `function:`, and expectations of the user's own."""
    for layer in ("silver", "gold"):
        section = said.get(layer)
        if not isinstance(section, Mapping):
            continue
        for key in ("transform", "rules", "python"):
            for place, text in _texts(section.get(key), (layer, key)):
                own_expectation = place[-1] in ("type", "expectation_type") and ":" in text
                if place[-1] in ("python", "function") or own_expectation:
                    yield place, text


def _texts(value: Any, place: Location = ()) -> Iterator[tuple[Location, str]]:
    """Every text below, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*place, index))
