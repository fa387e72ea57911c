"""Defines the steps of `silver.transform`, which run in the order of the YAML: each turns rows into rows.

SQL here is Polars SQL, so that a step is part of the lazy scan. A step also sees the columns
`_source` and `_row`; a `sql` or `python` step must keep them to preserve the provenance of rows.
"""

from __future__ import annotations

import abc
import importlib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Discriminator, Field, Tag, field_validator

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.config.model import Many, Strict, shown
from dq_pipelines.config.row_sql import beyond_the_row
from dq_pipelines.config.stores import error_text
from dq_pipelines.errors import DqError, RuleError
from dq_pipelines.transforms import exact_sql
from dq_pipelines.transforms.cast import cast_again
from dq_pipelines.transforms.types import TypeName


class Step(Strict, abc.ABC):
    """One step: a mapping with one key, the name of the step."""

    @abc.abstractmethod
    def apply(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows after the step, lazily."""


def sql_expression(text: str) -> str:
    """`text`, validated as one SQL expression over a row; raises ValueError otherwise."""
    if found := beyond_the_row(text):
        raise ValueError(f"wanted SQL over the table's own rows, got {found}, in {shown(text)}")
    try:
        pl.sql_expr(text)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ValueError(f"SQL {text!r}: {str(error).splitlines()[0]}") from None
    return text


class Rename(Step):
    """Give columns other names: `rename: {old: new}`."""

    rename: dict[str, str]

    def apply(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.rename(self.rename)


class Cast(Step):
    """Give columns other types: `cast: {column: type}`. A row with a value that does not fit is refused with `cast`, as for `columns`.

    For null instead of a refusal, use `derive: {column: "try_cast(column as int)"}`.
    """

    cast: dict[str, TypeName]

    def apply(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return cast_again(rows, self.cast)


class Derive(Step):
    """Add or replace columns by SQL expressions over the row: `derive: {total: "price * quantity"}`."""

    derive: dict[str, str]

    @field_validator("derive")
    @classmethod
    def _parses(cls, derive: dict[str, str]) -> dict[str, str]:
        return {name: sql_expression(text) for name, text in derive.items()}

    def apply(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return exact_sql.with_columns(rows, self.derive)


class Filter(Step):
    """Keep the rows for which a SQL condition is true; the others are dropped and counted."""

    filter: str

    @field_validator("filter")
    @classmethod
    def _parses(cls, text: str) -> str:
        return sql_expression(text)

    def apply(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return exact_sql.filtered(rows, self.filter)


class Keep(Strict):
    """Which of several rows with the same key to keep."""

    by: Annotated[Many[str], Field(min_length=1)]
    keep: Literal["first", "last"] = "last"
    order_by: str | None = None


class Deduplicate(Step):
    """Keep one row per key, the first or last by `order_by` (default: in landing order); the others are dropped and counted."""

    deduplicate: Keep

    def apply(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        wanted = self.deduplicate
        # Rows without a key are no duplicates: they stay, for the rules to refuse.
        keyless = pl.any_horizontal(pl.col(exact(name)).is_null() for name in wanted.by)
        keyed = rows.filter(~keyless)
        if wanted.order_by is not None:
            keyed = keyed.sort(exact(wanted.order_by), maintain_order=True, nulls_last=False)
        return pl.concat(
            [keyed.unique(subset=exact_names(wanted.by), keep=wanted.keep, maintain_order=True), rows.filter(keyless)]
        )


class Sql(Step):
    """Any SELECT over the rows, as the table `self`."""

    sql: str

    @field_validator("sql")
    @classmethod
    def _reads_self(cls, text: str) -> str:
        if "self" not in text.lower():
            raise ValueError(f"wanted a query over the table self, got {text!r}")
        return text

    def apply(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        try:
            return exact_sql.query({"self": rows}, self.sql)
        except pl.exceptions.PolarsError as error:
            raise RuleError(f"transform sql does not run: {error}") from None


class Python(Step):
    """A custom function, `module:function`, that takes lazy rows and returns lazy rows."""

    python: str

    @field_validator("python")
    @classmethod
    def _names_a_function(cls, text: str) -> str:
        module, _, function = text.partition(":")
        if not all(part.isidentifier() for part in [*module.split("."), function]):
            raise ValueError(f"wanted module:function, got {text!r}")
        return text

    def apply(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        function = function_at(self.python)
        try:
            result = function(rows)
        except (DqError, pl.exceptions.PolarsError):
            raise
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything
            raise RuleError(f"{self.python} {failure_of(function, error)}") from None
        if not isinstance(result, pl.LazyFrame | pl.DataFrame):
            raise RuleError(f"{self.python}: wanted the rows as a Polars LazyFrame, got {type(result).__name__}")
        return result.lazy()


def function_at(path: str) -> Callable[..., Any]:
    """The function that `module:function` names; raises RuleError if there is none."""
    module_name, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise RuleError(f"wanted the function {path}, got: {error}") from None
    if not callable(function):
        raise RuleError(f"wanted the function {path}, got {type(function).__name__}")
    return function  # type: ignore[no-any-return]


def failure_of(function: Callable[..., Any], error: BaseException) -> str:
    """A description of an error with its place in the function: `raises KeyError at revenue.py:12: 'store'`."""
    code = getattr(function, "__code__", None)
    place = "outside of Python"
    if code is not None:
        lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename == code.co_filename]
        place = f"at {Path(code.co_filename).name}:{lines[-1] if lines else code.co_firstlineno}"
    return f"raises {type(error).__name__} {place}: {error_text(error)}"


def _step(step: Any) -> Any:
    if isinstance(step, dict):
        return next(iter(step), None)
    return type(step).__name__.lower() if isinstance(step, Step) else None


AnyStep = Annotated[
    Annotated[Rename, Tag("rename")]
    | Annotated[Cast, Tag("cast")]
    | Annotated[Derive, Tag("derive")]
    | Annotated[Filter, Tag("filter")]
    | Annotated[Deduplicate, Tag("deduplicate")]
    | Annotated[Sql, Tag("sql")]
    | Annotated[Python, Tag("python")],
    Discriminator(_step),
]

#: Steps after which a row may no longer be one landed row.
OPAQUE = (Sql, Python)
