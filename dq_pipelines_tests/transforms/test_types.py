"""Text becomes a value of the column's type, or null: the same for each text, whatever stands beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.types import dtype_of

#: type -> text and value, for texts that are read at the first attempt, at a later one, and never
TEXTS: dict[str, dict[str, Any]] = {
    "int32": {"1": 1, "+1": 1, " 1": 1, "1\n": 1, "1.0": None, "3000000000": None, "": None},
    "float64": {"1.5": 1.5, " 1.5 ": 1.5, "1e3": 1000.0, "1,5": None},
    "decimal(15,2)": {
        "1.23": Decimal("1.23"),
        " 1.2": Decimal("1.20"),
        "1.2300": Decimal("1.23"),
        "1.235": None,
        "1e2": Decimal(100),
        "12.5e-1": Decimal("1.25"),
        "1e-3": None,
        "1.005e0": None,
        "99999999999999.99": None,
        "1.2.3": None,
    },
    "date": {
        "2026-12": None,
        "2026-W1-2": None,
        "2026-012": date(2026, 1, 12),
        "2026-01-02": date(2026, 1, 2),
        "2026-01-02 ": date(2026, 1, 2),
        "2026-02-30": None,
        "2.1.2026": None,
    },
    "timestamp": {
        "2026-01-02 03:04:05": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "2026-01-02T03:04:05": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "2026-01-02 03:04:05.25": datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC),
        "2026-01-02 03:04": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        " 2026-01-02": datetime(2026, 1, 2, tzinfo=UTC),
        "2026-01-02T03:04:05+01:00": datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC),
        "2026-01-02T25:00:00": None,
        "soon": None,
    },
}


@pytest.mark.parametrize("name", TEXTS)
@given(data=st.data())
def test_a_text_is_read_alike_whatever_stands_beside_it(name: str, data: st.DataObject) -> None:
    """Further attempts are made only where a text beside wants them: that must not change a value."""
    known: dict[str | None, object] = {None: None} | TEXTS[name]
    texts = data.draw(st.lists(st.sampled_from(list(known)), max_size=8))
    rows = pl.LazyFrame({"text": texts}, schema={"text": pl.String})
    read = rows.select(typed(pl.col("text"), pl.String(), dtype_of(name)).alias("value")).collect(engine="streaming")
    assert read.schema == {"value": dtype_of(name)}
    assert read["value"].to_list() == [known[text] for text in texts]
