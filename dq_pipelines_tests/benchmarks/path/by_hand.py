"""What one would write by hand in Polars for exactly this: one query that lands, casts, judges, measures and writes.

Bronze as it came, with its row number, source and batch; silver typed; refused rows whole, with the rules that they fail and
where they came from; failing rows per rule; count, nulls, mean, standard deviation, least and greatest per column, of a text
of its length. It knows these columns and rules only, keeps no record of what it consumed, and commits nothing.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines_tests.benchmarks.path.outcome import ROW_RULES, Outcome
from dq_pipelines_tests.benchmarks.path.types import TYPES
from dq_pipelines_tests.benchmarks.suite import BETWEEN, COLUMNS, IN_SET, LENGTHS, REGEX

DTYPES: dict[str, Any] = {
    "int64": pl.Int64, "int32": pl.Int32, "decimal(15,2)": pl.Decimal(15, 2), "date": pl.Date,
}  # fmt: skip
LINEAGE = ("_source", "_row", "_batch")
#: The bit of a value that does not fit its type, beside those of the rules.
CAST = len(ROW_RULES)


def refine(source: Path, folder: Path) -> Outcome:
    landed = _landed(source).cache()
    judged = _judged(landed)
    kept = judged.filter(pl.col("_failed") == 0).select(_typed(name) for name in COLUMNS)
    refused = judged.filter(pl.col("_failed") != 0).select(*COLUMNS, *LINEAGE, _reasons())
    metrics = judged.select(metric for name in COLUMNS for metric in _metrics(name))
    *_, failed, _measured = pl.collect_all(
        [
            _written(landed, folder / "bronze.parquet"),
            _written(kept, folder / "silver.parquet"),
            _written(refused, folder / "quarantine.parquet"),
            judged.group_by("_failed").len(),
            metrics,
        ],
        engine="streaming",
    )
    counts = [_rows(failed.filter(pl.col("_failed") & (1 << rule) != 0)) for rule in ROW_RULES]
    clean = _rows(failed.filter(pl.col("_failed") == 0))
    return [clean, _rows(failed) - clean, *counts]


def _landed(source: Path) -> pl.LazyFrame:
    """The rows as they came: text from a CSV, with types from Parquet."""
    rows = (
        pl.scan_csv(source, schema={name: pl.String() for name in COLUMNS})
        if source.suffix == ".csv"
        else pl.scan_parquet(source)
    )
    return rows.with_row_index("_row").with_columns(_source=pl.lit(source.name), _batch=pl.lit("batch-1"))


def _judged(landed: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with typed columns beside the landed ones, and as bits of `_failed` the rules that each fails."""
    typed = landed.with_columns(_cast(name, landed.collect_schema()[name]).alias(f"_typed_{name}") for name in TYPES)
    misfit = pl.any_horizontal(pl.col(name).is_not_null() & _typed(name).is_null() for name in TYPES)
    bits = [
        pl.when(fails).then(pl.lit(1 << bit, pl.UInt64)).otherwise(pl.lit(0, pl.UInt64))
        for bit, fails in enumerate([*_failing(), misfit])
    ]
    return typed.with_columns(pl.sum_horizontal(bits).alias("_failed"))


def _cast(name: str, landed: pl.DataType) -> pl.Expr:
    """The value in the column's type; null where it does not fit."""
    if TYPES[name] == "date" and landed == pl.String:
        return pl.col(name).str.to_date("%Y-%m-%d", strict=False)
    return pl.col(name).cast(DTYPES[TYPES[name]], strict=False)


def _typed(name: str) -> pl.Expr:
    return pl.col(f"_typed_{name}").alias(name) if name in TYPES else pl.col(name)


def _failing() -> list[pl.Expr]:
    """In the order of `suite.RULES`. A null fails but the rule against it: `when` takes it for false."""
    comment = pl.col("l_comment")
    return [
        *(_typed(name).is_null() for name in COLUMNS),
        *(~_typed(name).is_between(_bound(low), _bound(high)) for name, (low, high) in BETWEEN.items()),
        *(~pl.col(name).is_in(values) for name, values in IN_SET.items()),
        ~comment.str.contains(REGEX),
        ~comment.str.len_chars().is_between(*LENGTHS),
        _typed("l_receiptdate") <= _typed("l_shipdate"),
    ]


def _bound(value: Any) -> Any:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _reasons() -> pl.Expr:
    """The numbers of the rules that a refused row fails."""
    bits = [pl.when(pl.col("_failed") & (1 << bit) != 0).then(pl.lit(bit, pl.Int8)) for bit in (*ROW_RULES, CAST)]
    return pl.concat_list(bits).list.drop_nulls().alias("_reasons")


def _metrics(name: str) -> list[pl.Expr]:
    value = _typed(name)
    number = (value.to_physical() if name in TYPES else value.str.len_chars()).cast(pl.Float64)
    if TYPES.get(name, "").startswith("decimal"):
        number = value.cast(pl.Float64)
    return [
        pl.len().alias(f"{name}_count"),
        value.null_count().alias(f"{name}_nulls"),
        number.mean().alias(f"{name}_mean"),
        number.std().alias(f"{name}_deviation"),
        number.min().alias(f"{name}_least"),
        number.max().alias(f"{name}_greatest"),
    ]


def _written(rows: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    return rows.sink_parquet(path, lazy=True, compression="zstd", compression_level=1)


def _rows(groups: pl.DataFrame) -> int:
    return int(groups["len"].sum())
