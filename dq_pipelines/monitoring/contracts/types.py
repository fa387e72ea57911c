"""Converts a contract's types to ours, and its date formats to strftime patterns."""

from __future__ import annotations

import re

from dq_pipelines.transforms.types import dtype_of, name_of

#: Type names of SQL databases and warehouses that `transforms.types` does not have, without sizes.
_PHYSICAL = {
    "char": "string", "nchar": "string", "nvarchar": "string", "nvarchar2": "string", "varchar2": "string",
    "character": "string", "character varying": "string", "clob": "string", "tinytext": "string", "longtext": "string",
    "mediumtext": "string", "bpchar": "string", "uuid": "string", "uniqueidentifier": "string", "citext": "string",
    "int2": "int16", "int4": "int32", "int8": "int64", "serial": "int32", "bigserial": "int64", "float4": "float32",
    "float8": "float64", "double precision": "float64", "bytes": "binary", "bytea": "binary", "blob": "binary",
    "varbinary": "binary", "datetime2": "datetime", "timestamp without time zone": "datetime", "timestamp": "datetime",
    "timestamptz": "timestamp", "timestamp with time zone": "timestamp", "timestamp_tz": "timestamp",
    "timestamp_ltz": "timestamp", "datetimeoffset": "timestamp", "bool": "boolean", "bit": "boolean",
}  # fmt: skip
_SIZED = re.compile(r"(?P<name>[a-z0-9_ ]+?)\s*\(\s*(?P<sizes>[\d\s,]+)\)(?P<rest>.*)")

#: The standard's formats of integers and numbers, with our narrowest type that holds them.
_FORMATS = {
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "i128": "decimal(38,0)", "u8": "int16",
    "u16": "int32", "u32": "int64", "u64": "decimal(20,0)", "u128": "decimal(38,0)", "f32": "float32", "f64": "float64",
}  # fmt: skip
_LOGICAL = {
    "string": "string", "date": "date", "timestamp": "datetime", "integer": "int64", "number": "float64",
    "boolean": "boolean",
}  # fmt: skip
LOGICAL = (*_LOGICAL, "time", "object", "array")

#: Pattern letters of Java's DateTimeFormatter, longest first.
_JAVA = {
    "yyyy": "%Y", "uuuu": "%Y", "YYYY": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d",
    "DD": "%d", "d": "%-d", "HH": "%H", "H": "%-H", "hh": "%I", "mm": "%M", "ss": "%S", "a": "%p", "XXX": "%:z",
    "XX": "%z", "X": "%#z", "Z": "%z", "EEE": "%a",
}  # fmt: skip
_LETTERS = re.compile(r"'(?P<quoted>[^']*)'|(?P<fraction>\.S+)|(?P<letters>([A-Za-z])\4*)|(?P<other>.)")
_ISO = {
    "date": ("%Y-%m-%d",),
    "datetime": ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"),
}


def physical_type(name: str) -> tuple[str | None, int | None]:
    """Returns our type for a database's type, and its maximum length in characters; None where there is none."""
    wanted = " ".join(name.lower().split())
    length = None
    if match := _SIZED.fullmatch(wanted):
        sizes = [int(size) for size in match["sizes"].split(",") if size.strip()]
        base = f"{match['name']}{match['rest']}".strip()
        if base in ("number", "numeric", "decimal", "dec"):
            wanted = f"decimal({sizes[0]},{sizes[1] if len(sizes) > 1 else 0})"
        else:
            wanted = base
            length = sizes[0]
    wanted = _PHYSICAL.get(wanted, wanted)
    try:
        ours = name_of(dtype_of(wanted))
    except ValueError:
        return None, None
    return ours, length if ours == "string" else None


def logical_type(name: str, format: str | None, *, zoned: bool) -> str | None:
    """Returns our type for a logical type; None where we have none."""
    if name == "timestamp" and zoned:
        return "timestamp"
    return _FORMATS.get(format or "") if name in ("integer", "number") and format in _FORMATS else _LOGICAL.get(name)


def strftime(java: str, type: str) -> str | None:
    """Converts a Java date pattern; None for ISO 8601, which needs no pattern. Raises ValueError for unknown letters."""
    pattern = ""
    for match in _LETTERS.finditer(java):
        letters = match["letters"]
        if letters == "T":
            pattern += "T"
        elif letters is not None:
            if letters not in _JAVA:
                raise ValueError(f"no strftime letter for '{letters}'")
            pattern += _JAVA[letters]
        elif match["fraction"]:
            pattern += "%.f"
        else:
            pattern += (match["quoted"] if match["quoted"] is not None else match["other"]).replace("%", "%%")
    bare = re.sub(r"(%\.f)?(%#?:?z|Z)?$", "", pattern)
    kinds = _ISO["date"] if type == "date" else _ISO["datetime"]
    return None if bare in kinds else pattern
