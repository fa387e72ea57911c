"""Rules learned from half of the rows hold for the other half; on dirty data whose errors are known, they flag the errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import dq_pipelines as dq
from dq_pipelines.engine.backends.frames import frame_from
from dq_pipelines.monitoring.profile import profile
from dq_pipelines.monitoring.suggestions.types import suggested_types, with_types
from dq_pipelines.samples import generate
from dq_pipelines_tests.benchmarks.suggested import flagged

pytestmark = pytest.mark.slow

DIRTY = Path(os.environ.get("DQ_CORPORA", "nowhere")) / "dirty"
needs_corpora = pytest.mark.skipif(not DIRTY.is_dir(), reason="DQ_CORPORA names no folder with the corpora")

#: The share of rules that may fail on the other half.
MOST = 0.03


def halves(rows: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The rows cut in two: by chance, and in the order in which they come."""
    place = pl.int_range(pl.len())
    for first in (place.hash(3) % 2 == 0, place < pl.len() // 2):
        marked = rows.with_columns(_first=first)
        yield marked.filter("_first").drop("_first"), marked.filter(~pl.col("_first")).drop("_first")


def outcome(path: Path) -> tuple[int, list[str]]:
    """How many rules are suggested for halves of a file, as text and typed, and which of them the other halves fail."""
    text = frame_from(path).select(pl.exclude("^_.*$")).collect()
    typed = with_types(text.lazy(), suggested_types(profile(text.lazy()))).collect()
    rules, failing = 0, []
    for rows in (text, typed):
        for first, second in halves(rows):
            suggested = dq.suggest(first)
            own, other = dq.validate(first, suggested), dq.validate(second, suggested)
            assert [each.error for each in (*own.results, *other.results) if each.error] == []
            assert own.success, "what was learned holds where it was learned"
            rules += len(suggested)
            failing += [
                f"{path.stem}: {each.rule.type} {each.rule.column_label}" for each in other.results if not each.success
            ]
    return rules, failing


def test_rules_learned_from_half_of_the_sample_data_hold_for_the_other_half(tmp_path: Path) -> None:
    for domain in ("flights", "retail"):
        generate(domain, tmp_path)
    names = (
        "flights/airports.csv",
        "flights/planes.csv",
        "flights/airlines.csv",
        "retail/customers.parquet",
        "retail/products.xlsx",
    )
    found = [outcome(tmp_path / name) for name in names]
    rules, failing = sum(count for count, _ in found), [each for _, names in found for each in names]
    assert rules > 100
    assert len(failing) <= MOST * rules, failing


@needs_corpora
@pytest.mark.torture
def test_rules_learned_from_half_of_clean_files_hold_for_the_other_half() -> None:
    found = [outcome(path) for path in DIRTY.glob("*/clean.csv")]
    rules, failing = sum(count for count, _ in found), [each for _, names in found for each in names]
    assert rules > 200
    assert len(failing) <= MOST * rules, failing


@needs_corpora
@pytest.mark.parametrize("name", ["beers", "hospital"])
def test_suggested_rules_flag_the_cells_that_are_wrong(name: str) -> None:
    found = flagged(DIRTY / name)
    assert found.f1 > 0.95, found


def test_cells_are_counted_as_they_are(tmp_path: Path) -> None:
    towns = ["Bend", "Gary", "Dover", "Salem"]
    clean = [(str(n), f"9{n % 40:03}", towns[n % 4]) for n in range(400)]
    dirty = [(key, code, "Bnd" if key == "8" else town) for key, code, town in clean]
    dirty[9] = ("9", dirty[9][1], "")
    for file, rows in (("clean", clean), ("dirty", dirty)):
        text = "id,zip,town\n" + "".join(f"{key},{code},{town}\n" for key, code, town in rows)
        (tmp_path / f"{file}.csv").write_text(text, encoding="utf-8")
    found = flagged(tmp_path)
    assert (found.cells, found.wrong, found.flagged, found.right) == (1_200, 2, 2, 2)
    assert (found.precision, found.recall, found.f1) == (1.0, 1.0, 1.0)
