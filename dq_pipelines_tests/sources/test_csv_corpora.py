"""The CSV source against corpora that nobody here wrote: csv-spectrum exactly, Pollock by its score."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from dq_pipelines.sources.csv import Csv
from dq_pipelines_tests.sources.pollock import scores, told

CORPORA = Path(os.environ.get("DQ_CORPORA", "nowhere"))

needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="DQ_CORPORA names no folder with the corpora")

#: DuckDB 1.2's published scores, told the dialect and told nothing.
DUCKDB = {True: 9.961, False: 9.08}

#: The JSON of this one says another phone number than its CSV (as published): the rest has to agree.
OTHER_NUMBER = ("location_coordinates", "Contact Phone Number")

#: A second table follows in this file. The benchmark drops it; here every line with all its delimiters is a record.
TWO_TABLES = "file_multitable_same.csv"


@needs_corpora
@pytest.mark.corpus("csv-spectrum")
@pytest.mark.parametrize("path", sorted((CORPORA / "csv-spectrum" / "csvs").glob("*.csv")), ids=lambda path: path.stem)
def test_csv_spectrum(path: Path) -> None:
    source = Csv(type="csv", path=str(path))
    read = source.read(source.inputs())
    rows = [{name: cell or "" for name, cell in row.items()} for row in read.rows.collect().iter_rows(named=True)]
    meant = json.loads((path.parent.parent / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
    meant = meant if isinstance(meant, list) else [meant]
    if path.stem == OTHER_NUMBER[0]:
        for row in [*rows, *meant]:
            row.pop(OTHER_NUMBER[1])
    assert rows == meant
    assert read.unreadable.collect().is_empty()


@needs_corpora
@pytest.mark.torture
@pytest.mark.corpus("pollock")
@pytest.mark.parametrize("path", sorted((CORPORA / "pollock" / "csv").glob("*")), ids=lambda path: path.name)
def test_pollock_file(path: Path, record_property: Callable[[str, object], None]) -> None:
    """Told its dialect, each row of a file is one that is meant, and none of those vanishes."""
    parameters = json.loads((path.parents[1] / "parameters" / f"{path.name}_parameters.json").read_text())
    source = Csv.model_validate({"type": "csv", "path": str(path), **told(parameters)})
    with (path.parents[1] / "clean" / path.name).open(newline="", encoding="utf-8-sig") as clean:
        meant = Counter(tuple(row) for row in list(csv.reader(clean))[1:])
    read = source.read(source.inputs())
    rows = [tuple(cell or "" for cell in row) for row in read.rows.collect().iter_rows()]
    landed = Counter(rows[: meant.total()] if path.name == TWO_TABLES else rows)
    unreadable = read.unreadable.collect()
    if unreadable.height:
        record_property("clear_error", unreadable["_why"][0])
    assert not landed - meant
    assert (meant - landed).total() <= unreadable.height


@needs_corpora
@pytest.mark.parametrize("tell", [True, False], ids=["told", "untold"])
def test_pollock(record_property: Callable[[str, object], None], *, tell: bool) -> None:
    found = scores(CORPORA / "pollock", tell=tell)
    score = sum(found.values()) / len(found)
    how = "told the dialect" if tell else "told nothing"
    record_property("measured", f"Pollock, {how}: {score:.3f} of 10 (DuckDB {DUCKDB[tell]}), {len(found)} files")
    assert score > DUCKDB[tell]
