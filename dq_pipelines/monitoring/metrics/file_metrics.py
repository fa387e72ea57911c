"""Computes metrics of the number columns of a file: count, mean, standard deviation, minimum, maximum, outliers.

A plain CSV is parsed into floats on all cores and processed in memory. Any other file is read through its source.
"""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from typing import IO

import polars as pl

from dq_pipelines.engine.interrupt import interruptibly
from dq_pipelines.errors import SourceError
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.monitoring.metrics.digest import FAR
from dq_pipelines.monitoring.metrics.measurement import column
from dq_pipelines.sources import ROW, SOURCE, read, source_by_name, sources_by_ending
from dq_pipelines.sources.cell_kinds import typed
from dq_pipelines.sources.dialect import guessed
from dq_pipelines.sources.endings import packed_as
from dq_pipelines.sources.failures import broken

_SAMPLED = 1_000
_HEAD = 64 * 1024

#: Least share of numbers among the first cells of a number column.
_MOST = 0.9


def metrics_of_file(path: str | Path) -> tuple[ColumnMetrics, ...]:
    """Returns the metrics of every number column, in order; cells that are no numbers count as nulls.

    Raises SourceError where the file cannot be read.
    """
    file = Path(path)
    source = source_by_name(file.name) or ("csv" if packed_as(file.name) else None)
    if source is None:
        raise SourceError(
            f"{path}: wanted a file that ends in one of {', '.join(sources_by_ending())}, got '{file.suffix}'"
        )
    with broken(str(path)):
        numbers = interruptibly(lambda: _numbers(file, source).collect(engine="streaming"))
    return tuple(_metrics(values) for values in numbers)


def _numbers(path: Path, source: str) -> pl.LazyFrame:
    """Returns the number columns as floats."""
    plain = _plain_csv(path) if source == "csv" and not packed_as(path.name) else None
    if plain is not None:
        return plain
    rows = read({"type": source, "path": str(path)}).rows
    types = {name: dtype for name, dtype in rows.collect_schema().items() if name not in (SOURCE, ROW)}
    maybe = [name for name, dtype in types.items() if dtype.is_numeric() or isinstance(dtype, pl.String)]
    some = rows.select(column(name) for name in maybe).head(_SAMPLED).collect()
    return rows.select(_as_float(name) for name in maybe if _is_of_numbers(some[name]))


def _as_float(name: str) -> pl.Expr:
    return column(name).cast(pl.Float64, strict=False)


def _is_of_numbers(sample: pl.Series) -> bool:
    return sample.count() > 0 and sample.cast(pl.Float64, strict=False).count() >= _MOST * sample.count()


def _plain_csv(path: Path) -> pl.LazyFrame | None:
    """Returns the number columns of a CSV with a header, without quotes or multi-line records; None for any other."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if not head or _has_quotes(file):
            return None
    try:
        lines = head.decode("utf-8").split("\n")[:-1] or [head.decode("utf-8")]
    except UnicodeDecodeError:
        return None
    grammar = guessed(lines[:100], None, None, None)
    names = lines[0].rstrip("\r").split(grammar.delimiter)
    even = all(line.count(grammar.delimiter) == len(names) - 1 for line in lines[:100])
    if len(grammar.delimiter) != 1 or not even or any(map(typed, names)) or len(set(names)) < len(names):
        return None
    scan = pl.scan_csv(path, separator=grammar.delimiter, quote_char=None, infer_schema_length=_SAMPLED, glob=False)
    types = scan.collect_schema()
    wanted = [name for name, dtype in types.items() if dtype.is_numeric()]
    rows = pl.scan_csv(
        path,
        separator=grammar.delimiter,
        quote_char=None,
        schema={name: pl.Float64() if name in wanted else pl.String() for name in types},
        ignore_errors=True,
        glob=False,
    )
    return rows.select(column(name) for name in wanted)


def _has_quotes(file: IO[bytes]) -> bool:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(b'"') >= 0


def _metrics(values: pl.Series) -> ColumnMetrics:
    count, nulls = len(values), values.null_count()
    mean = values.mean()
    if isinstance(mean, float) and not math.isfinite(mean):
        values = values.filter(values.is_finite())
        mean = values.mean()
    if not isinstance(mean, float):
        return ColumnMetrics(values.name, count, nulls)
    deviation = values.std()
    far = FAR * deviation if isinstance(deviation, float) else math.inf
    inside = int(values.is_between(mean - far, mean + far).sum())
    least, most = values.min(), values.max()
    return ColumnMetrics(
        values.name,
        count,
        nulls,
        min=float(least),  # type: ignore[arg-type]
        max=float(most),  # type: ignore[arg-type]
        mean=mean,
        standard_deviation=deviation if isinstance(deviation, float) else None,
        outlier_count=len(values) - values.null_count() - inside,
    )
