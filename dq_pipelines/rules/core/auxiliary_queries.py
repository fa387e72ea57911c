"""What a rule may ask an engine to find out beside the scan, because no expression over one row says it.

Each answer comes back to the rule as one boolean column, by `Columns.answer(query)`.
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
    """True where the row's key occurs more than once among the rows that the rule judges."""

    columns: tuple[str, ...]
    #: rows to leave out: their whole key is missing, or any part of it, or none
    ignore: str = "all_values_are_missing"
    #: the rule's `row_condition`, since a key repeats only among the rows the rule is about
    row_condition: str | None = None


@dataclass(frozen=True)
class Exists:
    """True where the value is found in column `key` of `table`; null where the value is missing."""

    column: str
    #: `<layer>/<table>`
    table: str
    key: str


@dataclass(frozen=True)
class RowSql:
    """True where the SQL condition holds for the row; null where it is null."""

    sql: str


@dataclass(frozen=True)
class InOrder:
    """True where the value is not less than the one before it, passing over missing ones; null where it is missing.

    `Value.ordered` is what is compared, in the order of the rows that the rule judges.
    """

    column: str
    #: not greater, instead of not less
    descending: bool = False
    #: whether an equal value is out of order, too
    strictly: bool = False
    row_condition: str | None = None


@dataclass(frozen=True)
class Determined:
    """True where the value is the usual one of the rows that are alike in `by`; false where another is, or two are as usual.

    Null where the value, or one of `by`, is missing.
    """

    column: str
    by: tuple[str, ...]
    #: the rule's `row_condition`, since a value is usual only among the rows the rule is about
    row_condition: str | None = None


@dataclass(frozen=True)
class Measured(abc.ABC):
    """True where the value is within limits that the column's own values set; null where it is missing.

    Engines reckon `measures` over the rows that the rule judges, before the scan, and hand the numbers to `holds`.
    """

    column: str
    row_condition: str | None = None

    @abc.abstractmethod
    def measures(self, value: Value) -> Mapping[str, nw.Expr]:
        """Scalars by name. Missing values, and rows outside `row_condition`, are null in `value`."""

    @abc.abstractmethod
    def holds(self, value: Value, found: Mapping[str, Any]) -> nw.Expr:
        """Boolean per row, by the numbers that were found."""


@dataclass(frozen=True)
class ByText(abc.ABC):
    """True where Python says yes to the value's text; null where it is missing.

    The text is `Value.text`; engines answer by looking at each distinct text once.
    """

    column: str

    @abc.abstractmethod
    def says(self, text: str) -> bool:
        """The answer for one text."""


@dataclass(frozen=True)
class ByGx:
    """True where Great Expectations is content with the row; null where it passes over it, or could not judge."""

    #: as `rules.core.gx.expectation` takes it
    type: str
    #: the arguments, as JSON
    arguments: str


@dataclass(frozen=True)
class PythonRegex(ByText):
    """Whether Python's `re.search` finds the patterns: asked for those that no engine's own regex reads as Python does."""

    patterns: tuple[str, ...]
    #: whether one pattern is enough, or each must be found
    match_on: Literal["any", "all"] = "any"

    def says(self, text: str) -> bool:
        found = (re.search(pattern, text) is not None for pattern in self.patterns)
        return any(found) if self.match_on == "any" else all(found)


@dataclass(frozen=True)
class ReadsAsJson(ByText):
    """Whether the text is JSON, as Python's `json` reads it; with a schema, also whether it keeps to it."""

    #: a JSON Schema, written as JSON
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
    """Whether `dateutil` makes a date of the text, or with a format, whether Python's `strptime` does."""

    format: str | None = None

    def says(self, text: str) -> bool:
        from dateutil.parser import parse

        try:
            _ = parse(text) if self.format is None else datetime.strptime(text, self.format)  # noqa: DTZ007
        except (ValueError, OverflowError):
            return False
        return True


def validator_of(schema: Any) -> Any:
    """The validator of a JSON Schema, of the draft that it names; raises ValueError, in one sentence, for none."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped] # it says nothing of types

    found = validator_for(schema)
    try:
        found.check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(step) for step in error.absolute_path)
        raise ValueError(f"json_schema is no JSON Schema: {error.message}{f' (at {place})' if place else ''}") from None
    return found(schema, registry=REGISTRY)  # a `$ref` to an address is not asked for over the network


AuxiliaryQuery = Repeats | Exists | RowSql | InOrder | Determined | Measured | ByText | ByGx
