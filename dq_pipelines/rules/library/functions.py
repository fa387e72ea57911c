"""A rule by a Python function of the user, which returns an expression."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import narwhals as nw
from narwhals.exceptions import NarwhalsError
from pydantic import Field, model_validator

from dq_pipelines.config.functions import named
from dq_pipelines.config.model import Many
from dq_pipelines.errors import RuleError, nearest
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import RowRule

#: Errors that Narwhals raises for an invalid expression.
_EXPRESSION_ERRORS = (ArithmeticError, AttributeError, LookupError, NarwhalsError, NameError, TypeError, ValueError)


def multiple_of(value: nw.Expr, *, divisor: int) -> nw.Expr:
    """An example of such a function: true if the value is a multiple of `divisor`."""
    return value % divisor == 0


class PythonFunction(RowRule):
    """A custom Python function, which returns a Narwhals expression, is true for every row.

    It is called with an expression for `column`, or for each of `column_list`, and with `arguments`. With neither
    it names its columns itself, by `nw.col("…")`. It returns a Boolean expression for each row: false is a failure,
    null is not. With `column`, rows with a missing value are ignored; NaN is missing too.

    The function is imported when the rule is loaded, from Python's module path: the folder in which `dq` or Dagster was
    started, or an installed package.
    """

    type: Literal["python"]
    title_template: ClassVar[str] = "the function {function} accepts each row"
    #: `package.module:name`
    function: str
    #: the judged column
    column: Annotated[str, Field(min_length=1)] | None = None
    #: several judged columns
    column_list: Annotated[Many[str], Field(min_length=1)] | None = None
    #: further arguments, by name
    arguments: dict[str, Any] = {}

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": [2, 4, None]},
            {
                "function": "dq_pipelines.rules.library.functions:multiple_of",
                "column": "x",
                "arguments": {"divisor": 2},
            },
            {"success": True, "missing_count": 1},
        ),
        Example(
            {"x": [2, 3, None]},
            {
                "function": "dq_pipelines.rules.library.functions:multiple_of",
                "column": "x",
                "arguments": {"divisor": 2},
            },
            {"unexpected_count": 1, "missing_count": 1},
        ),
    )

    @model_validator(mode="after")
    def _can_be_called(self) -> PythonFunction:
        if self.column is not None and self.column_list is not None:
            raise ValueError("wanted one of column and column_list, got both")
        function = self._function
        try:
            signature = inspect.signature(function)
        except ValueError:
            return self  # some functions written in C have no signature
        try:
            signature.bind(*self.columns_judged, **self.arguments)
        except TypeError as error:
            known = [name for name, found in signature.parameters.items() if found.kind is not found.POSITIONAL_ONLY]
            unknown = next((name for name in self.arguments if name not in known), "")
            raise ValueError(f"{self.function}{signature}: {error}{nearest(unknown, known)}") from None
        return self

    @property
    def _function(self) -> Callable[..., Any]:
        function = named(self.function)
        if not callable(function):
            raise ValueError(f"{self.function}: wanted a function, got {type(function).__name__}")
        return function  # type: ignore[no-any-return]

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column,) if self.column is not None else self.column_list or ()

    def missing(self, columns: Columns) -> nw.Expr:
        return columns[self.column].is_missing if self.column is not None else nw.lit(False)

    def known_missing(self, columns: Columns) -> int | None:
        return 0 if self.column is None else None

    def fails(self, columns: Columns) -> nw.Expr:
        values = [columns[name] for name in self.columns_judged]
        if self.column is not None and values[0].family == "unknown":
            return nw.lit(False)  # a column of only nulls has nothing to judge
        try:
            answer = self._function(*(value.expr for value in values), **self.arguments)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything
            raise RuleError(f"{self.function} raised {type(error).__name__}: {error}") from None
        if not isinstance(answer, nw.Expr):
            raise RuleError(f"{self.function}: wanted a Narwhals expression, got {type(answer).__name__}")
        _is_boolean(self.function, answer, columns)
        fails = (~answer).fill_null(False)
        return fails & ~self.missing(columns) if self.column is not None else fails


def _is_boolean(function: str, answer: nw.Expr, columns: Columns) -> None:
    """Raise RuleError for an expression of another type: `~` would invert a number's bits without an error."""
    schema = {name: nw.String() if isinstance(dtype, nw.Unknown) else dtype for name, dtype in columns.schema.items()}
    empty = nw.from_dict({name: [] for name in schema}, schema, backend="polars")
    try:
        dtype = empty.select(answer=answer).schema["answer"]
    except _EXPRESSION_ERRORS as error:
        raise RuleError(f"{function}: {str(error).splitlines()[0]}") from None
    if not isinstance(dtype, nw.Boolean):
        raise RuleError(f"{function}: wanted a Boolean expression, got one of {dtype}")
