"""Which types of DuckDB gold takes, and as what: each value exactly, or the query is refused. How a query runs belongs in `sql`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dq_pipelines.config.sql_text import identifier, literal
from dq_pipelines.errors import RuleError

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

#: Begins the errors that a query raises for a value that does not fit.
MISFIT = "gold misfit: "
_NESTED = ("list", "array", "map", "struct")
#: How many characters of a value that does not fit an error shows.
_SHOWN = 60

_YEARS = "the years 1 to 9999"


@dataclass(frozen=True)
class Published:
    """What a type of DuckDB is in gold."""

    #: DuckDB's type that the values are cast to
    sql: str
    #: the type in gold, as YAML names it
    name: str
    #: a condition over `{0}` by which a value does not fit
    misfit: str = ""
    #: what fits, where not all values do
    wanted: str = ""
    #: the type to cast a column to that has other values
    otherwise: str = ""
    #: what to do where that type does not hold all of them either
    beyond: str = ""


def _years(kind: str) -> str:
    """A condition by which a value is in a year that neither Python nor SQL has, or infinite."""
    zone = "+00" if "ZONE" in kind else ""
    midnight = "" if kind == "DATE" else f" 00:00:00{zone}"
    return f"{{0}} < {kind} '0001-01-01{midnight}' OR {{0}} >= {kind} '10000-01-01{midnight}'"


def _moment(kind: str, sql: str, name: str) -> Published:
    return Published(sql, name, _years(kind), _YEARS, "VARCHAR")


_ZONED = "TIMESTAMP WITH TIME ZONE"
_TEXT = Published("VARCHAR", "string")
_INTEGER = Published(
    "BIGINT",
    "int64",
    "try_cast({0} AS BIGINT) IS NULL",
    "integers of 64 bits",
    "DECIMAL(38,0)",
    "a number of 39 digits needs VARCHAR instead, or DOUBLE, which keeps about 15 of them",
)
#: Whatever nanoseconds can hold is within the years 1 to 9999, or infinite.
_FINER = "NOT isfinite({0}) OR epoch_ns({0}) % 1000 <> 0"

#: By DuckDB's name of a type that holds no other types, what it is in gold.
PUBLISHED: Mapping[str, Published] = {
    "boolean": Published("BOOLEAN", "boolean"),
    "tinyint": Published("TINYINT", "int8"),
    "smallint": Published("SMALLINT", "int16"),
    "integer": Published("INTEGER", "int32"),
    "bigint": Published("BIGINT", "int64"),
    "utinyint": Published("SMALLINT", "int16"),
    "usmallint": Published("INTEGER", "int32"),
    "uinteger": Published("BIGINT", "int64"),
    "ubigint": Published("DECIMAL(20,0)", "decimal(20,0)"),
    "hugeint": _INTEGER,
    "uhugeint": _INTEGER,
    "float": Published("FLOAT", "float32"),
    "double": Published("DOUBLE", "float64"),
    "decimal": Published("DECIMAL", "decimal(p,s)"),
    "varchar": _TEXT,
    "json": _TEXT,
    "uuid": _TEXT,
    "enum": _TEXT,
    "bit": _TEXT,
    "blob": Published("BLOB", "binary"),
    "date": _moment("DATE", "DATE", "date"),
    "time": _TEXT,
    "time_ns": _TEXT,
    "time with time zone": _TEXT,
    "interval": _TEXT,
    "timestamp_s": _moment("TIMESTAMP_S", "TIMESTAMP", "datetime"),
    "timestamp_ms": _moment("TIMESTAMP_MS", "TIMESTAMP", "datetime"),
    "timestamp": _moment("TIMESTAMP", "TIMESTAMP", "datetime"),
    "timestamp_ns": Published("TIMESTAMP", "datetime", _FINER, f"whole microseconds of {_YEARS}", "VARCHAR"),
    "timestamp with time zone": _moment(_ZONED, _ZONED, "timestamp"),
    "null": _TEXT,
}

#: Types that gold does not take, with what to write instead of a column `{0}` of one.
REFUSED: Mapping[str, str] = {
    "bignum": "cast({0} as decimal(38, 0)) or cast({0} as varchar)",
    "timestamptz_ns": "cast({0} as timestamptz)",
    "variant": "cast({0} as json)",
    "geometry": "cast({0} as varchar)",
    "union": "cast({0} as varchar)",
    "map": "map_entries({0}), since its keys are nested",
    "tuple": "a struct with names, such as {{'name': value}}",
    "struct": "a struct with a field, or leave it out",
}


def published(name: str, kind: DuckDBPyType, value: str) -> str:
    """The SQL for the values of the column `name`, which `value` stands for, in the type that gold has for them.

    A value that does not fit ends the query with an error that begins with `MISFIT`. Raises RuleError for a type that gold
    does not take.
    """
    sql = _target(name, name, kind)
    cast = value if sql == str(kind) else f"CAST({value} AS {sql})"
    misfit = _misfit(kind, value)
    if not misfit:
        return cast
    wanted = " and ".join(dict.fromkeys(one.wanted for one in _leaves(kind) if one.misfit))
    problem = f"{MISFIT}column '{name}' of type {_short(kind)}: wanted {wanted}, got "
    beyond = "".join(dict.fromkeys(f"; {one.beyond}" for one in _leaves(kind) if one.beyond))
    advice = f": write cast({identifier(name)} as {_target(name, name, kind, otherwise=True)}){beyond}"
    error = f"error({literal(problem)} || left(CAST({value} AS VARCHAR), {_SHOWN}) || {literal(advice)})"
    return f"CASE WHEN {misfit} THEN {error} ELSE {cast} END"


def _target(column: str, place: str, kind: DuckDBPyType, *, otherwise: bool = False) -> str:
    """The SQL type that a type becomes or, with `otherwise`, to which misfits are to be cast; raises RuleError for no such."""
    inner = [(name, f"{place}.{name}" if kind.id in ("struct", "map") else place, one) for name, one in _inner(kind)]
    types = [(name, _target(column, at, one, otherwise=otherwise)) for name, at, one in inner]
    match kind.id:
        case "list" | "array":
            return f"{types[0][1]}[]"
        case "map" if not _inner(inner[0][2]):
            return f"MAP({types[0][1]}, {types[1][1]})"
        case "struct" if types:
            return f"STRUCT({', '.join(f'{identifier(name)} {one}' for name, one in types)})"
        case "decimal":
            return str(kind)
    known = PUBLISHED.get(_named(kind))
    if known is None:
        instead = REFUSED.get(kind.id, "cast({0} as varchar)").format(identifier(column))
        raise RuleError(
            f"gold sql: wanted types that Delta can store, got column '{place}' of type {_short(kind)}: write {instead}"
        )
    return known.otherwise if otherwise and known.otherwise else known.sql


def _misfit(kind: DuckDBPyType, value: str, depth: int = 0) -> str:
    """A condition, never null, by which a value of a type does not fit; "" where each does."""
    match kind.id:
        case "list" | "array":
            return _any(_inner(kind)[0][1], value, depth)
        case "map":
            (_, key), (_, inner) = _inner(kind)
            conditions = [_any(key, f"map_keys({value})", depth), _any(inner, f"map_values({value})", depth)]
        case "struct":
            conditions = [
                _misfit(one, f"struct_extract({value}, {literal(name)})", depth) for name, one in _inner(kind)
            ]
        case _:
            misfit = PUBLISHED[_named(kind)].misfit
            conditions = [f"({value} IS NOT NULL AND ({misfit.format(value)}))"] if misfit else []
    return " OR ".join(filter(None, conditions))


def _any(kind: DuckDBPyType, values: str, depth: int) -> str:
    inner = _misfit(kind, f"e{depth}", depth + 1)
    return f"coalesce(len(list_filter({values}, lambda e{depth}: {inner})) > 0, false)" if inner else ""


def _leaves(kind: DuckDBPyType) -> Iterator[Published]:
    if kind.id in _NESTED:
        for _, inner in _inner(kind):
            yield from _leaves(inner)
    else:
        yield PUBLISHED[_named(kind)]


def _inner(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """The types within a nested one, by name; an array's length is none."""
    if kind.id not in _NESTED:
        return []
    return [(name, inner) for name, inner in kind.children if not isinstance(inner, int | list)]


def _named(kind: DuckDBPyType) -> str:
    return "json" if str(kind) == "JSON" else kind.id


def _short(kind: Any) -> str:
    text = str(kind)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
