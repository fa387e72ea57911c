"""Any frame or path as a lazy Polars frame."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines.config.counting import counted
from dq_pipelines.engine.backends.pandas.frames import from_pandas
from dq_pipelines.errors import SourceError


def frame_from(data: Any) -> pl.LazyFrame:
    """Any frame or path as a lazy Polars frame, without a copy where the library allows it."""
    if isinstance(data, pl.LazyFrame):
        return data
    if isinstance(data, pl.DataFrame):
        return data.lazy()
    if isinstance(data, str | Path):
        return _frame_at(str(data))
    if is_pandas(data):
        return from_pandas(data).lazy()
    if hasattr(data, "__arrow_c_stream__"):
        return pl.DataFrame(data).lazy()
    if hasattr(data, "fetch_arrow_table"):
        return pl.DataFrame(data.fetch_arrow_table()).lazy()
    raise SourceError(f"wanted a frame or a path to judge, got {type(data).__module__}.{type(data).__name__}")


class UnreadableLines(UserWarning):
    """Warns of lines, or records, of a file that cannot be read. No row holds them."""


def _frame_at(path: str) -> pl.LazyFrame:
    return rows_and_unreadable(path)[0]


def rows_and_unreadable(path: str) -> tuple[pl.LazyFrame, int]:
    """The rows at a path, and how many of its lines cannot be read; warns of those by UnreadableLines."""
    from dq_pipelines.sources import read

    reading = read(source_at(path))
    count = int(reading.unreadable.select(pl.len()).collect().item())
    if count:
        lines = counted(count, "line", "cannot be read and is", "cannot be read and are")
        warnings.warn(f"{path}: {lines} in none of its rows: see dq.read(…).unreadable", UnreadableLines, stacklevel=4)
    return reading.rows, count


def source_at(path: str) -> dict[str, str]:
    """The source that reads a path, as YAML has it; raises SourceError when its ending names none."""
    from dq_pipelines.sources import source_by_name, sources_by_ending
    from dq_pipelines.sources.delta import is_delta_table

    if is_delta_table(path):
        return {"type": "delta", "path": path}
    source = source_by_name(path)
    if source is None:
        raise SourceError(f"{path}: wanted a file ending in {', '.join(sources_by_ending())}, or a Delta table")
    return {"type": source, "path": path}


def is_path_of_file(text: str) -> bool:
    """Whether `text` is the path of a file or folder rather than the name of something else."""
    from dq_pipelines.sources import sources_by_ending

    return "/" in text or Path(text).suffix.lower() in sources_by_ending(ranks=1) or Path(text).exists()


def is_pandas(data: Any) -> bool:
    """Whether `data` is a frame of pandas. Does not import pandas."""
    return type(data).__module__.startswith("pandas")
