"""`result_format`: how much of a result is written, and in which form, as Great Expectations defines it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from dq_pipelines.config.model import shown
from dq_pipelines.errors import ConfigError, Problem, nearest

ResultFormat = Literal["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"]

#: The hidden column that holds a row's place (0 is the first), or what a pandas index calls it.
ROW = "_row_in_data"

_FIELDS = {
    "result_format": "name",
    "partial_unexpected_count": "most_listed",
    "unexpected_index_column_names": "index_columns",
    "return_unexpected_index_query": "with_query",
    "include_unexpected_rows": "with_rows",
    "exclude_unexpected_values": "without_values",
}


@dataclass(frozen=True)
class Format:
    """A format with its options, by names of our own."""

    name: ResultFormat = "SUMMARY"
    #: how many failing values the partial lists have
    most_listed: int = 20
    #: the columns that identify a row, shown instead of its place
    index_columns: tuple[str, ...] = ()
    with_query: bool = True
    with_rows: bool = False
    without_values: bool = False

    @classmethod
    def of(cls, given: ResultFormat | Format | Mapping[str, Any]) -> Self:
        """The format, from its name or from a mapping as GX takes it; raises ConfigError for what is none."""
        if isinstance(given, cls):
            return given
        options = dict(given) if isinstance(given, Mapping) else {"result_format": given}
        if unknown := [key for key in options if key not in _FIELDS]:
            raise _wrong(f"unknown key '{unknown[0]}' in result_format{nearest(str(unknown[0]), _FIELDS)}")
        fields: dict[str, Any] = {_FIELDS[key]: value for key, value in options.items() if value is not None}
        name = fields.get("name", "SUMMARY")
        if name not in get_args(ResultFormat):
            raise _wrong(f"result_format: wanted {', '.join(get_args(ResultFormat))}, got {shown(name)}")
        columns = fields.get("index_columns", ())
        fields["index_columns"] = (columns,) if isinstance(columns, str) else tuple(columns)
        return cls(**fields)


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem("", 0, message)])
