"""Converts a contract's properties to columns and rules. `quality` converts their quality checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dq_pipelines.config.sql_text import identifier
from dq_pipelines.errors import nearest
from dq_pipelines.monitoring.contracts.part import Part
from dq_pipelines.monitoring.contracts.types import LOGICAL, logical_type, physical_type, strftime

Rule = dict[str, Any]

#: Regexes of the `format` of texts.
_TEXT_FORMATS = {
    "email": r"^[^@\s]+@[^@\s]+$",
    "uuid": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$",
    "ipv4": r"^((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(\.|$)){4}$",
}
_BOUNDS = (
    {"minimum": "min_value", "maximum": "max_value"},
    {"exclusiveMinimum": "min_value", "exclusiveMaximum": "max_value"},
)
_NO_NESTED = "objects and arrays are not supported as columns: it is passed on unchanged and not judged"
_WHY = {
    "classification": "a label masks nothing: mask the column under `transform`",
    "encryptedName": "the column keeps the name that it lands with",
    "examples": "examples are for readers of the contract",
    "partitioned": "a table is partitioned by `partitions`, per file or day",
    "partitionKeyPosition": "a table is partitioned by `partitions`, per file or day",
    "properties": _NO_NESTED,
    "items": _NO_NESTED,
}


@dataclass
class Column:
    """A property of the contract as a column."""

    name: str
    part: Part
    #: our type; None where the column is passed on unchanged
    type: str | None
    #: position in the primary key; None where it is not part of it
    key: float | None = None
    settings: dict[str, str] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    @property
    def written(self) -> str | dict[str, str]:
        """The column's value in `silver.columns`."""
        return {"type": self.type or "string", **self.settings} if self.settings else self.type or "string"


def column_from(part: Part, place: int) -> Column | None:
    """Converts a property to a column with rules; None where it has no name, which is added to the problems."""
    name = part.text("name")
    if not name:
        part.wrong("", "a property needs a name: found none")
        return None
    logical, physical = part.text("logicalType"), part.text("physicalType")
    if logical is not None and logical not in LOGICAL:
        part.wrong("logicalType", f"unknown logicalType '{logical}'{nearest(logical, LOGICAL)}")
    options = part.part("logicalTypeOptions", "options")
    column = Column(name, part, _typed(part, logical, physical, options))
    if physical_name := part.text("physicalName"):
        column.settings |= {"from": physical_name} if physical_name != name else {}
    if described := part.text("description") or part.text("businessName"):
        column.settings["description"] = described
    _format(column, logical, options)
    if part.flag("primaryKey"):
        position = part.number("primaryKeyPosition")
        column.key = place + 1000 if position is None or position < 1 else position
    if part.flag("required") or column.key is not None:
        column.rules.append({"type": "expect_column_values_to_not_be_null", "column": name})
    if part.flag("unique"):
        column.rules.append({"type": "expect_column_values_to_be_unique", "column": name})
    column.rules += _from_options(column, logical, physical, options)
    options.close({"minItems": _NO_NESTED, "maxItems": _NO_NESTED, "uniqueItems": _NO_NESTED, "required": _NO_NESTED})
    if column.type is None:
        part.note("", f"{_NO_NESTED}", f"{name} ({logical or physical or 'no type'})")
        column.settings = {}
    return column


def close_column(column: Column) -> None:
    """Notes every key of the property that was not converted."""
    column.part.close(_WHY)


def _typed(part: Part, logical: str | None, physical: str | None, options: Part) -> str | None:
    if logical in ("object", "array"):
        return None
    ours = physical_type(physical)[0] if physical else None
    if ours is None and physical and logical is None:
        part.note("physicalType", f"'{physical}' is no known type: the column is text")
    if ours is None and logical == "time":
        part.note("logicalType", "there is no type for a time of day: the column is text")
    if ours is None:
        named = options.value.get("format")
        ours = logical_type(logical or "string", named if isinstance(named, str) else None, zoned=_zoned(options))
    elif logical == "timestamp" and _zoned(options):
        ours = "timestamp"
    return ours or "string"


def _zoned(options: Part) -> bool:
    options.take("timezone")
    return options.value.get("timezone") is True


def _format(column: Column, logical: str | None, options: Part) -> None:
    wanted = options.text("format")
    if wanted is None or logical in ("integer", "number"):
        return
    if logical == "time":
        options.note("format", "there is no type for a time of day: the column is text")
    elif column.type in ("date", "datetime", "timestamp"):
        try:
            pattern = strftime(wanted, column.type)
        except ValueError as error:
            options.note("format", f"'{wanted}': {error}; give the column a strftime `format`")
        else:
            column.settings |= {} if pattern is None else {"format": pattern}
    elif wanted in _TEXT_FORMATS:
        regex = _TEXT_FORMATS[wanted]
        column.rules.append({"type": "expect_column_values_to_match_regex", "column": column.name, "regex": regex})
    else:
        options.note("format", f"no rule can check the format '{wanted}'")


def _from_options(column: Column, logical: str | None, physical: str | None, options: Part) -> Iterator[Rule]:
    about = {"column": column.name}
    lengths = {"min_value": options.number("minLength"), "max_value": options.number("maxLength")}
    if lengths["max_value"] is None and physical:
        lengths["max_value"] = physical_type(physical)[1]
    if given := _whole(lengths):
        yield {"type": "expect_column_value_lengths_to_be_between", **about, **given}
    if pattern := options.text("pattern"):
        yield {"type": "expect_column_values_to_match_regex", **about, "regex": pattern}
    for keys, strict in zip(_BOUNDS, (False, True), strict=True):
        bounds = {ours: options.take(key) for key, ours in keys.items() if key in options}
        if bounds and column.type == "string" and logical == "time":
            options.note(next(iter(keys)), "there is no type for a time of day, so its bounds cannot be checked")
        elif bounds:
            signs = {ours.replace("_value", ""): True for ours in bounds} if strict else {}
            flags = {f"strict_{side}": True for side in signs}
            yield {"type": "expect_column_values_to_be_between", **about, **bounds, **flags}
    multiple = options.number("multipleOf")
    if multiple is not None and multiple == int(multiple) and logical == "integer":
        yield {"type": "expect_rows_sql", "sql": f"{identifier(column.name)} % {int(multiple)} = 0"}
    elif multiple is not None:
        options.note(
            "multipleOf", "floating point has no exact multiples; a `decimal(p,s)` type refuses further digits"
        )


def _whole(bounds: Mapping[str, float | None]) -> dict[str, int]:
    return {key: int(value) for key, value in bounds.items() if value is not None}
