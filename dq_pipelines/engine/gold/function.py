"""Functions that compute gold: how one is called, and what it may return. Which values gold can hold belongs in `frames`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines.config.stores import error_text, is_disk_full, is_transient
from dq_pipelines.engine.backends.frames import is_pandas
from dq_pipelines.engine.gold.frames import must_be_storable, must_fit
from dq_pipelines.engine.gold.names import must_be_publishable
from dq_pipelines.engine.gold.objects import arrow_from_pandas, arrow_from_rows, frame_from_arrow
from dq_pipelines.engine.gold.sql import relation_to_parquet
from dq_pipelines.engine.interrupt import interruptibly
from dq_pipelines.errors import DqError, PublishError, RuleError
from dq_pipelines.sources.failures import errors_of_readers
from dq_pipelines.transforms.steps import failure_of, function_at

_WANTED = "wanted a Polars, pandas or Arrow frame, a DuckDB relation, rows as dicts, or an iterator of frames or rows"


def function_to_parquet(path: str, frames: Mapping[str, pl.LazyFrame], target: Path) -> None:
    """Call `module:function` with the frames, by the names of their tables, and write the rows that it returns to `target`.

    A lazy plan, a reader or a generator runs here, once. Raises RuleError when the function does not run, or returns what gold
    cannot hold exactly, PublishError when there is no room, and whatever the reader of the frames' files raises.
    """
    function = function_at(path)
    with _blaming(path, function, target):
        result = function(**frames)
        if type(result).__name__ == "DuckDBPyRelation":
            relation_to_parquet(result, target, path)
            return
        rows = _frame(path, result)
        schema = rows.collect_schema()
        must_be_publishable(path, list(schema))
        must_be_storable(schema, path)
        interruptibly(lambda: rows.sink_parquet(target))
        must_fit(pl.scan_parquet(target), path)


def _frame(path: str, result: Any) -> pl.LazyFrame:
    """What a function returned as a lazy frame; raises RuleError for what is none."""
    if isinstance(result, pl.LazyFrame):
        return result
    if isinstance(result, pl.DataFrame):
        return result.lazy()
    if is_pandas(result) and hasattr(result, "columns"):
        return frame_from_arrow(arrow_from_pandas(result, path), path).lazy()
    if hasattr(result, "__arrow_c_stream__") and not isinstance(result, pl.Series):
        return frame_from_arrow(result, path).lazy()
    if isinstance(result, list | tuple | Iterator):
        return _gathered(path, result)
    raise RuleError(f"{path}: {_WANTED}, got {_described(result)}")


def _gathered(path: str, parts: Iterable[Any]) -> pl.LazyFrame:
    """One frame of many, or of rows; which of them it is, the first says."""
    remaining = iter(parts)
    first = next(remaining, None)
    if first is None:
        raise RuleError(f"{path}: wanted frames or rows, got none: return a frame without rows, which has columns")
    if isinstance(first, Mapping):
        return frame_from_arrow(arrow_from_rows(chain([first], remaining), path), path).lazy()
    if isinstance(first, list | tuple):
        raise RuleError(f"{path}: wanted rows as dicts, so that columns have names, got {_described(first)}")
    frames = [_frame(path, part) for part in chain([first], remaining)]
    schemas = [frame.collect_schema() for frame in frames]
    for schema in schemas:
        if schema != schemas[0]:
            raise RuleError(
                f"{path}: wanted frames of the same columns, got {_columns(schemas[0])}, then {_columns(schema)}"
            )
    return pl.concat(frames)


def _columns(schema: pl.Schema) -> str:
    return ", ".join(f"{name} {dtype}" for name, dtype in schema.items())


def _described(result: Any) -> str:
    if result is None:
        return "None: is there a return?"
    kind = type(result)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


@contextmanager
def _blaming(path: str, function: Callable[..., Any], target: Path) -> Iterator[None]:
    """Say of an error of a function, or of the plan that it returned, where it came from."""
    try:
        yield
    except DqError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        if is_disk_full(error):
            raise PublishError(
                f"{target.parent}: wanted room for the rows of {path}, got: {error_text(error)}"
            ) from None
        if isinstance(error, errors_of_readers()) and (is_transient(error) or ".parquet" in str(error)):
            raise  # of the lake, whose rows the plan reads
        raise RuleError(f"{path} {failure_of(function, error)}") from None
