"""Applies people's corrections to bronze rows: corrected cells are kept in quarantine and replace bronze cells in each judgement.

Bronze itself stays as it landed. A correction changes landed columns, before casts and steps, so that a corrected row is
prepared and judged like every other row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.pipeline.bronze.batch import SYSTEM_COLUMNS, UNREADABLE, WHY
from dq_pipelines.pipeline.bronze.landed import BATCH
from dq_pipelines.pipeline.bronze.landed_names import resolved
from dq_pipelines.pipeline.quarantine.refused_rows import CORRECTION, PLACE, QUARANTINE_COLUMNS
from dq_pipelines.project import Silver
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.steps import Rename

_SCHEMA = {name: QUARANTINE_COLUMNS[name] for name in (*PLACE, CORRECTION)}
_MENDED, _TO, _SET = "_mended", "_mended_to\x00", "_is_mended\x00"

#: Corrected cells by landed column; None for a cell that becomes null.
Cells = Mapping[str, str | None]


def corrections(quarantine: LakeTable) -> pl.DataFrame:
    """Every correction of a table: `_batch`, `_source`, `_row`, `_correction`."""
    rows = quarantine.scan() if quarantine.exists else pl.LazyFrame(schema=_SCHEMA)
    if CORRECTION not in rows.collect_schema():
        return pl.DataFrame(schema=_SCHEMA)
    mended = rows.filter(pl.col(CORRECTION).is_not_null()).select(*PLACE, CORRECTION)
    return mended.unique(PLACE, keep="last", maintain_order=True).collect()


def corrected(rows: pl.LazyFrame, mended: pl.DataFrame) -> pl.LazyFrame:
    """Bronze rows with their corrections applied; a corrected unreadable line becomes a record."""
    if mended.is_empty():
        return rows
    cells = [json.loads(text) for text in mended[CORRECTION]]
    schema = rows.collect_schema()
    names = [name for name in dict.fromkeys(name for each in cells for name in each) if name in schema]
    over = mended.select(PLACE).with_columns(
        pl.lit(True).alias(_MENDED),
        *(pl.Series(f"{_TO}{name}", [each.get(name) for each in cells], pl.String) for name in names),
        *(pl.Series(f"{_SET}{name}", [name in each for each in cells], pl.Boolean) for name in names),
    )
    joined = rows.join(over.lazy(), on=PLACE, how="left", nulls_equal=True, maintain_order="left")
    values = [
        pl.when(f"{_SET}{name}")
        .then(landed_value(pl.col(f"{_TO}{name}"), schema[name]))
        .otherwise(pl.col(exact(name)))
        .alias(name)
        for name in names
    ]
    read = [pl.when(pl.col(_MENDED).is_null()).then(pl.col(name)).alias(name) for name in (UNREADABLE, WHY)]
    return joined.with_columns(*values, *read).select(exact_names(schema))


def mended_columns(mended: pl.DataFrame, batch: str) -> frozenset[str]:
    """The landed columns that corrections of a batch set, including columns that the batch landed without."""
    cells = mended.filter(pl.col(BATCH) == batch)[CORRECTION]
    return frozenset(name for text in cells for name in json.loads(text))


def landed_value(text: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A text as the value that would have landed; null where the text does not fit the type."""
    return text if dtype == pl.String else typed(text, pl.String(), dtype)


def landed_names(silver: Silver, landed: Mapping[str, Any]) -> dict[str, str]:
    """The landed column behind each column that a person may correct, by its name in judged rows."""
    visible = [name for name in landed if name not in SYSTEM_COLUMNS]
    silver = resolved(silver, visible)
    sources = {source: name for name, column in silver.columns.items() for source in column.sources or (name,)}
    names = {sources.get(name, name): name for name in visible}
    # Of several landed columns the first counts, so a person corrects that one.
    names |= {
        name: next(source for source in column.sources if source in visible)
        for name, column in silver.columns.items()
        if set(column.sources) & set(visible)
    }
    for step in silver.transform:
        if isinstance(step, Rename):
            names = {step.rename.get(name, name): source for name, source in names.items()}
    return names
