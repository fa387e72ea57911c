"""Maps the column types of YAML to Polars types."""

from __future__ import annotations

import re
from typing import Annotated

import polars as pl
from pydantic import AfterValidator, WithJsonSchema

from dq_pipelines.errors import nearest

_SIMPLE: dict[str, pl.DataType] = {
    "string": pl.String(),
    "boolean": pl.Boolean(),
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
    "timestamp": pl.Datetime("us", "UTC"),
    "binary": pl.Binary(),
}
_SYNONYMS = {
    "text": "string", "str": "string", "varchar": "string", "bool": "boolean", "byte": "int8", "short": "int16",
    "int": "int64", "integer": "int32", "long": "int64", "bigint": "int64", "smallint": "int16", "tinyint": "int8",
    "float": "float32", "double": "float64", "real": "float32", "timestamp_ntz": "datetime",
}  # fmt: skip
_DECIMAL = re.compile(r"(?:decimal|numeric)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")


def type_names() -> list[str]:
    """The names of the types, without synonyms."""
    return [*_SIMPLE, "decimal(p,s)"]


def dtype_of(name: str) -> pl.DataType:
    """The Polars type of a name; raises ValueError with the nearest name."""
    wanted = name.strip().lower()
    wanted = _SYNONYMS.get(wanted, wanted)
    if wanted in _SIMPLE:
        return _SIMPLE[wanted]
    if wanted.startswith(("decimal(", "numeric(")) and ")" not in wanted:
        raise ValueError(f"wanted decimal(p,s) in quotes, got '{name}': between braces a comma ends it")
    if match := _DECIMAL.fullmatch(wanted):
        precision, scale = int(match[1]), int(match[2] or 0)
        if not 1 <= precision <= 38 or scale > precision:
            raise ValueError(f"wanted decimal(p,s) with 1 <= p <= 38 and s <= p, got '{name}'")
        return pl.Decimal(precision, scale)
    raise ValueError(f"unknown type '{name}'{nearest(wanted, [*_SIMPLE, *_SYNONYMS, 'decimal(12,2)'])}")


def _known(name: str) -> str:
    dtype_of(name)
    return name


#: A validated type name in YAML.
TypeName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema(
        {"anyOf": [{"enum": [*_SIMPLE, *_SYNONYMS]}, {"type": "string", "pattern": rf"^ *{_DECIMAL.pattern} *$"}]}
    ),
]


def name_of(dtype: pl.DataType) -> str:
    """The name of a Polars type in YAML, or else in Polars."""
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    return next((name for name, known in _SIMPLE.items() if known == dtype), str(dtype))
