"""Computes a profile: one pass over all rows for counts and bounds, then a sample of rows for everything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.monitoring.profile.column import COUNT, VALUE, ColumnProfile, Lengths, Profile
from dq_pipelines.monitoring.profile.inferred_type import InferredType, infer_type, read_values

#: Approximate size of the sample. A larger table is sampled by the hash of the row number.
SAMPLE = 200_000
_SEED = 7
#: With at least so many rows per distinct value, the sample contains all values.
_OFTEN = 50
_QUANTILES = {"p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}


def profile(rows: pl.LazyFrame) -> Profile:
    """Returns the profile of a table, without columns added at landing (they begin with `_`) or without a name."""
    schema = {name: dtype for name, dtype in rows.collect_schema().items() if name and not name.startswith("_")}
    rows = rows.select(exact_names(schema))
    totals = rows.select(pl.len().alias("rows"), *_numbers(schema)).collect(engine="streaming").row(0, named=True)
    sample = _sample(rows, totals["rows"])
    counted = {name: _values(sample, name) for name, dtype in schema.items() if not dtype.is_nested()}
    values = dict(zip(counted, pl.collect_all(list(counted.values())), strict=True))
    empty = pl.DataFrame(schema={VALUE: pl.String, COUNT: pl.UInt32})
    columns = (_column(name, dtype, totals, values.get(name, empty), sample) for name, dtype in schema.items())
    return Profile(totals["rows"], tuple(columns), sample)


def _numbers(schema: Mapping[str, pl.DataType]) -> Iterator[pl.Expr]:
    """Yields the statistics that one pass computes of every column, named `<statistic>.<column>`."""
    for name, dtype in schema.items():
        value = pl.col(exact(name)).fill_nan(None) if dtype.is_float() else pl.col(exact(name))
        yield value.null_count().alias(f"nulls.{name}")
        if dtype.is_nested() or isinstance(dtype, pl.Null):
            continue
        yield value.approx_n_unique().alias(f"distinct.{name}")
        if not isinstance(dtype, pl.Categorical | pl.Enum | pl.Binary):
            yield from (value.min().alias(f"least.{name}"), value.max().alias(f"greatest.{name}"))
        if dtype.is_numeric():
            number = value.cast(pl.Float64)
            yield from (number.mean().alias(f"mean.{name}"), number.std().alias(f"standard_deviation.{name}"))
        if isinstance(dtype, pl.String):
            length = value.str.len_chars()
            yield from (length.min().alias(f"shortest.{name}"), length.max().alias(f"longest.{name}"))
            yield length.mean().alias(f"length.{name}")


def _sample(rows: pl.LazyFrame, count: int) -> pl.DataFrame:
    if count > SAMPLE:
        place = "place of the row"
        chosen = pl.col(place).hash(_SEED) % (count // SAMPLE + 1) == 0
        rows = rows.with_row_index(place).filter(chosen).drop(place)
    return rows.collect(engine="streaming")


def _values(sample: pl.DataFrame, name: str) -> pl.LazyFrame:
    column = sample.lazy().select(pl.col(exact(name)).alias(VALUE))
    if column.collect_schema()[VALUE].is_float():
        column = column.select(pl.col(VALUE).fill_nan(None))
    counted = column.drop_nulls().group_by(VALUE).agg(pl.len().alias(COUNT))
    return counted.sort(COUNT, VALUE, descending=[True, False])


def _column(
    name: str, dtype: pl.DataType, totals: Mapping[str, Any], values: pl.DataFrame, sample: pl.DataFrame
) -> ColumnProfile:
    inferred = infer_type(dtype, values)
    rows, distinct = totals["rows"], totals.get(f"distinct.{name}", 0)
    statistics: dict[str, Any] = {what: totals.get(f"{what}.{name}") for what in ("least", "greatest", "mean")}
    statistics["standard_deviation"] = totals.get(f"standard_deviation.{name}")
    if isinstance(dtype, pl.String):
        statistics = _statistics_of_text(values, inferred) or statistics
        shortest, longest, mean = (totals[f"{what}.{name}"] for what in ("shortest", "longest", "length"))
        statistics["lengths"] = None if longest is None else Lengths(shortest, longest, mean)
    if inferred.is_number:
        statistics["quantiles"] = _quantiles(values, inferred)
    # Where the sample contains all values, its count is exact; the estimate is off by 2 % and more.
    is_exact = sample.height == rows or _OFTEN * values.height <= sample.height
    distinct = values.height if is_exact and not dtype.is_nested() else min(max(distinct, values.height), rows)
    return ColumnProfile(name, dtype, rows, totals[f"nulls.{name}"], distinct, inferred, values, **statistics)


def _statistics_of_text(values: pl.DataFrame, inferred: InferredType) -> dict[str, Any] | None:
    """Returns bounds and moments of the parsed texts; None for plain text."""
    if inferred.kind in ("text", "boolean"):
        return None
    read = pl.DataFrame({VALUE: read_values(values, inferred), COUNT: values.get_column(COUNT)}).drop_nulls()
    statistics: dict[str, Any] = {"least": read.get_column(VALUE).min(), "greatest": read.get_column(VALUE).max()}
    if inferred.is_number and not read.is_empty():
        number, weight = pl.col(VALUE).cast(pl.Float64), pl.col(COUNT)
        total = int(read.get_column(COUNT).sum())
        mean = read.select((number * weight).sum() / total).item()
        spread = read.select((weight * (number - mean) ** 2).sum()).item()
        statistics |= {"mean": mean, "standard_deviation": (spread / (total - 1)) ** 0.5 if total > 1 else None}
    return statistics


def _quantiles(values: pl.DataFrame, inferred: InferredType) -> dict[str, float]:
    """Returns the quantiles of the sample's numbers: the least number that so large a share does not exceed."""
    numbers = pl.DataFrame({VALUE: read_values(values, inferred).cast(pl.Float64), COUNT: values.get_column(COUNT)})
    ordered = numbers.drop_nulls().sort(VALUE).with_columns(pl.col(COUNT).cum_sum())
    if ordered.is_empty():
        return {}
    total, upto = int(ordered.get_column(COUNT)[-1]), ordered.get_column(COUNT)
    places = {name: int(upto.search_sorted(share * total)) for name, share in _QUANTILES.items()}
    return {name: float(ordered.get_column(VALUE)[min(place, ordered.height - 1)]) for name, place in places.items()}
