"""Python functions that the sample project's YAML names, as examples: one transform step, one gold table."""

from __future__ import annotations

import polars as pl


def with_elapsed(rows: pl.LazyFrame) -> pl.LazyFrame:
    """A transform step: adds `elapsed_s`, the seconds (float64) since the first reading of the run."""
    since = pl.col("timestamp") - pl.col("timestamp").min().over("run_id")
    return rows.with_columns(elapsed_s=since.dt.total_milliseconds() / 1_000)


def customer_value(customers: pl.LazyFrame, sales: pl.LazyFrame, returns: pl.LazyFrame) -> pl.LazyFrame:
    """A gold table: one row per customer, with purchases, refunds and a segment.

    The segment is the quarter of all buyers by `net_value`: `top`, `upper`, `lower` or `bottom`; `none` for a customer
    who bought nothing.
    """
    refunds = returns.group_by("sale_id").agg(refunded=pl.col("amount").sum())
    bought = (
        sales.filter(pl.col("customer_id").is_not_null())
        .join(refunds, on="sale_id", how="left")
        .group_by("customer_id")
        .agg(
            purchases=pl.len().cast(pl.Int64),
            last_bought=pl.col("sold_at").max(),
            gross_value=pl.col("amount").sum().cast(pl.Float64),
            refunded=pl.col("refunded").sum().cast(pl.Float64),
        )
        .with_columns(net_value=(pl.col("gross_value") - pl.col("refunded")).round(2))
    )
    rank = pl.col("net_value").rank("ordinal", descending=True) - 1
    quarter = (rank * 4 // pl.len()).replace_strict(
        {0: "top", 1: "upper", 2: "lower", 3: "bottom"}, return_dtype=pl.String
    )
    return (
        customers.select("customer_id", "name", "country")
        .join(bought.with_columns(segment=quarter), on="customer_id", how="left")
        .with_columns(pl.col("purchases").fill_null(0), pl.col("segment").fill_null("none"))
        .with_columns(pl.col("gross_value", "refunded", "net_value").fill_null(0.0))
        .sort("customer_id")
    )
