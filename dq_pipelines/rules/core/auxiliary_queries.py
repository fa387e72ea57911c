"""Defines the questions that a rule may ask an engine to answer outside of the scan, since no expression over one row can.

The rule gets each answer as a boolean column, by `Columns.answer(query)`.
"""

from __future__ import annotations

import abc
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import narwhals as nw

    from dq_pipelines.rules.core.column_value import Value


@dataclass(frozen=True)
class Repeats:
    """True if the row's key occurs more than once among the judged rows."""

    columns: tuple[str, ...]
    #: which rows to ignore: those whose whole key is missing, any part of it, or none
    ignore: str = "all_values_are_missing"
    #: the rule's `row_condition`, since only the rows that it selects count
    row_condition: str | None = None


@dataclass(frozen=True)
class Exists:
    """True if the value exists in column `key` of `table`; null if the value is missing."""

    column: str
    #: `<layer>/<table>`
    table: str
    key: str


@dataclass(frozen=True)
class RowSql:
    """The value of the SQL condition for the row."""

    sql: str


@dataclass(frozen=True)
class InOrder:
    """True if the value is not less than the previous present one; null if it is missing.

    Compares `Value.ordered`, in the order of the judged rows.
    """

    column: str
    #: not greater instead of not less
    descending: bool = False
    #: whether an equal value is out of order too
    strictly: bool = False
    row_condition: str | None = None


@dataclass(frozen=True)
class Determined:
    """True if the value is the most frequent one among the rows with the same `by`; false for any other, and for a tie.

    Null if the value, or one of `by`, is missing.
    """

    column: str
    by: tuple[str, ...]
    #: the rule's `row_condition`, since only the rows that it selects count
    row_condition: str | None = None


@dataclass(frozen=True)
class LimitsFromColumn(abc.ABC):
    """True if the value is within limits computed from the column's values; null if it is missing.

    Engines compute `measures` over the judged rows before the scan, and pass the numbers to `holds`.
    """

    column: str
    row_condition: str | None = None

    @abc.abstractmethod
    def measures(self, value: Value) -> Mapping[str, nw.Expr]:
        """Scalars by name. Missing values, and rows outside `row_condition`, are null in `value`."""

    @abc.abstractmethod
    def holds(self, value: Value, found: Mapping[str, Any]) -> nw.Expr:
        """Boolean per row; `found` has the computed measures by name."""


@dataclass(frozen=True)
class ByText(abc.ABC):
    """The result of a Python function on the value's text; null if it is missing.

    The text is `Value.text`; engines call the function once for each distinct text.
    """

    column: str

    @abc.abstractmethod
    def says(self, text: str) -> bool:
        """The answer for one text."""


@dataclass(frozen=True)
class ByGx:
    """True if the row meets a GX expectation; null if GX ignores the row, or could not evaluate it."""

    #: as for `rules.core.gx.expectation`
    type: str
    #: the arguments, as JSON
    arguments: str


@dataclass(frozen=True)
class PythonRegex(ByText):
    """Whether Python's `re.search` finds the patterns: for patterns that no engine's regex can express."""

    patterns: tuple[str, ...]
    #: whether any pattern must be found, or all
    match_on: Literal["any", "all"] = "any"

    def says(self, text: str) -> bool:
        found = (re.search(pattern, text) is not None for pattern in self.patterns)
        return any(found) if self.match_on == "any" else all(found)


@dataclass(frozen=True)
class ReadsAsJson(ByText):
    """Whether Python's `json` can parse the text; with a schema, also whether the value matches it."""

    #: a JSON Schema as JSON text
    schema: str | None = None

    def says(self, text: str) -> bool:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return self._validator is None or bool(self._validator.is_valid(value))

    @cached_property
    def _validator(self) -> Any:
        return None if self.schema is None else validator_of(json.loads(self.schema))


@dataclass(frozen=True)
class ReadsAsDate(ByText):
    """Whether `dateutil` can parse the text as a date; with a format, whether Python's `strptime` can."""

    format: str | None = None

    def says(self, text: str) -> bool:
        from dateutil.parser import parse

        try:
            _ = parse(text) if self.format is None else datetime.strptime(text, self.format)  # noqa: DTZ007
        except (ValueError, OverflowError):
            return False
        return True


def validator_of(schema: Any) -> Any:
    """The validator of a JSON Schema, by its draft; raises ValueError, with one sentence, for an invalid schema."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped] # it has no type information

    validator = validator_for(schema)
    try:
        validator.check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(step) for step in error.absolute_path)
        raise ValueError(f"json_schema is no JSON Schema: {error.message}{f' (at {place})' if place else ''}") from None
    return validator(schema, registry=REGISTRY)  # no `$ref` is fetched over the network


AuxiliaryQuery = Repeats | Exists | RowSql | InOrder | Determined | LimitsFromColumn | ByText | ByGx
