"""Converts one object of a contract to the content of a table's YAML: source, owners, columns, rules, freshness."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from dq_pipelines.monitoring.contracts.columns import Column, close_column, column_from
from dq_pipelines.monitoring.contracts.part import Part
from dq_pipelines.monitoring.contracts.quality import About, rules_from_quality
from dq_pipelines.monitoring.contracts.yaml_writer import Template

Rule = dict[str, Any]

#: The standard's formats and server types that our sources read.
_FORMATS = {"csv": "csv", "parquet": "parquet", "delta": "delta", "json": "json", "ndjson": "ndjson", "orc": "orc"}
_DELIMITERS = {"new_line": "ndjson", "array": "json"}
_DIALECTS = {
    "postgres": "postgres", "postgresql": "postgres", "snowflake": "snowflake", "bigquery": "bigquery",
    "redshift": "redshift", "databricks": "databricks", "mysql": "mysql", "sqlserver": "tsql", "oracle": "oracle",
    "trino": "trino", "presto": "presto", "athena": "athena", "duckdb": "duckdb", "clickhouse": "clickhouse",
}  # fmt: skip
_UNITS = {
    "d": "d", "day": "d", "days": "d", "h": "h", "hr": "h", "hour": "h", "hours": "h", "m": "m", "min": "m",
    "minute": "m", "minutes": "m", "s": "s", "sec": "s", "second": "s", "seconds": "s", "w": "w", "week": "w",
    "weeks": "w",
}  # fmt: skip
_OWNING = ("owner", "data owner", "product owner", "data product owner", "steward", "data steward")


#: Letters that no decomposition turns into plain ones.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}
)


def table_name(name: str) -> str:
    """Converts a name to a valid table name; letters lose their accents."""
    letters = unicodedata.normalize("NFKD", name.lower().translate(_LETTERS))
    unaccented = "".join(letter for letter in letters if not unicodedata.combining(letter))
    plain = re.sub(r"[^a-z0-9]+", "_", unaccented).strip("_")
    return plain if plain[:1].isalpha() else f"t_{plain}"


def columns_of(obj: Part) -> list[Column]:
    """Converts the properties of the object to columns."""
    columns = [column_from(part, index) for index, part in enumerate(obj.parts("properties", "property"))]
    return [column for column in columns if column is not None]


def silver_of(obj: Part, columns: list[Column], fresh: list[Rule], dialect: str | None) -> dict[str, Any]:
    """Returns the `silver` section: keys, columns and rules."""
    keys = [column.name for column in sorted((c for c in columns if c.key is not None), key=lambda c: c.key or 0)]
    rules: list[Rule] = []
    tables = frozenset(names_of(obj))
    if len(keys) == 1:
        rules.append({"type": "expect_column_values_to_be_unique", "column": keys[0]})
    elif keys:
        rules.append({"type": "expect_compound_columns_to_be_unique", "column_list": keys})
    for column in columns:
        rules += [*column.rules, *rules_from_quality(column.part, About(column.name, tables, dialect))]
        _foreign_keys(column.part, column.name)
        close_column(column)
    rules += rules_from_quality(obj, About(None, tables, dialect))
    _foreign_keys(obj, None)
    declared = {column.name: column.written for column in columns if column.type is not None}
    return {"keys": keys, "columns": declared, "rules": list(_once([*rules, *fresh]))}


def _once(rules: list[Rule]) -> Iterator[Rule]:
    """Removes duplicate rules: `required` and a quality entry often mean the same. The more complete one stays."""
    policy = ("severity", "description", "meta")
    meant = [{key: value for key, value in rule.items() if key not in policy} for rule in rules]
    for place, rule in enumerate(rules):
        twins = [other for other in range(len(rules)) if meant[other] == meant[place]]
        if place == max(twins, key=lambda twin: (len(rules[twin]), -twin)):
            yield rule


def _foreign_keys(part: Part, column: str | None) -> None:
    for relation in part.parts("relationships"):
        origin, target = relation.take("from") or column, relation.take("to")
        why = "a rule looks up exactly one column"
        if isinstance(target, list) and len(target) == 1 and isinstance(origin, list):
            origin, target = origin[0], target[0]
        if isinstance(target, str) and isinstance(origin, str):
            table, _, key = target.rpartition(".")
            rule = "{type: expect_column_values_to_exist_in, column: %s, table: silver/%s, key: %s}"
            line = rule % (origin.rpartition(".")[2], table_name(table.rpartition("/")[2]), key)
            why = f"the other table must be in the project first; then add - {line}"
        relation.note("", why, f"{f'{column}, ' if column else ''}relationship to {target}")


def source_of(contract: Part, obj: Part, domain: str) -> tuple[dict[str, Any], str | None]:
    """Returns the source from the first server with files, and the SQL dialect of the first server that has one."""
    name = str(obj.value.get("physicalName") or obj.value.get("name"))
    source: dict[str, Any] = {}
    dialect = None
    for server in contract.parts("servers"):
        kind = (server.text("type") or "").lower()
        dialect = dialect or _DIALECTS.get(kind)
        kept_as = _FORMATS.get((server.text("format") or "").lower())
        path = server.text("location") or server.text("path")
        if source or kept_as is None or path is None or kind not in ("local", "s3", "azure", "gcs", "file"):
            server.note("", _why_no_source(kind, taken=bool(source)), f"server '{server.text('server')}'")
            continue
        delimiter = server.text("delimiter")
        if kept_as == "json" and delimiter in _DELIMITERS:
            kept_as = _DELIMITERS[delimiter]
        source = {"type": kept_as, "path": re.sub(r"\{(model|object|table|schema)\}", name, path)}
        source |= {"delimiter": delimiter} if kept_as == "csv" and delimiter else {}
        server.close(leave=("server", "description"))
    # Without such a server: the default landing folder.
    return source or {"type": "csv", "path": Template(f"${{DQ_LANDING}}/{domain}/{table_name(name)}/*.csv")}, dialect


def _why_no_source(kind: str, *, taken: bool) -> str:
    if taken:
        return "a table has one source, and another server was chosen"
    return f"no source reads files from '{kind}': set `source` by hand"


def owners_of(contract: Part) -> list[str]:
    """Returns the owners: the team, and its current owners with an address."""
    team = contract.take("team")
    given = {"members": team} if isinstance(team, list) else team
    if given is not None and not isinstance(given, dict):
        contract.wrong("team", "team: wanted a mapping or a list of members")
        given = None
    part = Part(contract.contract, given or {}, (*contract.place, "team"))
    name = part.text("name")
    owners = [f"team:{re.sub(r'[^A-Za-z0-9_-]+', '-', name).strip('-')}"] if name else []
    if isinstance(team, list):
        part.place = contract.place
        part.value = {"team": team}
    for member in part.parts("team" if isinstance(team, list) else "members"):
        address = member.text("username") or ""
        owning = (member.text("role") or "").lower() in _OWNING and "dateOut" not in member
        if owning and re.fullmatch(r"[^@\s]+@[^@\s]+", address):
            owners.append(address)
        else:
            why = "only current owners with an address become owners"
            member.note("", why, f"team member '{address}'")
    part.close(leave=("team",))
    return owners


def names_of(obj: Part) -> set[str]:
    """Returns the names of an object."""
    return {str(obj.value[key]) for key in ("name", "physicalName") if obj.value.get(key)}


def freshness_of(contract: Part, obj: Part, columns: list[Column], others: set[str]) -> Iterator[Rule]:
    """Yields rules for the `freshness` service levels of this object; notes all other service levels.

    A level that names one of the `others` is ignored here.
    """
    default = contract.text("slaDefaultElement")
    for sla in contract.parts("slaProperties"):
        named, element = sla.text("property") or "", sla.text("element") or default or ""
        owner, _, name = element.rpartition(".")
        if owner in others - names_of(obj):
            continue
        called = {column.settings.get("from", column.name): column.name for column in columns}
        called |= {column.name: column.name for column in columns}
        value, unit = sla.take("value"), _UNITS.get((sla.text("unit") or "d").lower())
        if named.lower() != "freshness":
            sla.note("", "this service level is not measured", f"service level {named} ({value})")
        elif (
            (owner and owner not in names_of(obj))
            or name not in called
            or unit is None
            or not isinstance(value, int)
            or isinstance(value, bool)
        ):
            sla.note(
                "", "wanted a column of the object, a whole number and a unit", f"service level {named} ({element})"
            )
        else:
            # A warning: to block late rows would make the table even older.
            rule = {"type": "expect_table_to_be_fresh", "column": called[name], "max_age": f"{value}{unit}"}
            described = {"description": sla.text("description")} if "description" in sla else {}
            yield {**rule, "severity": "warning", **described}
            sla.close()
