"""Other people's files: read right, or a SourceError; never a crash, a hang or unbounded memory."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import read

CORPORA = os.environ.get("DQ_CORPORA")


def files(folder: str, ending: str = "") -> list[Any]:
    if CORPORA is None:
        return [pytest.param(Path(folder), marks=pytest.mark.skip(reason="DQ_CORPORA does not say where they lie"))]
    found = sorted(Path(CORPORA, folder).glob(f"*{ending}"))
    assert found, f"no files in {folder}"
    return [pytest.param(path, id=path.name) for path in found]


def rows(kind: str, path: Path, **options: Any) -> int:
    """How many rows were landed; raises SourceError when some could not be read."""
    found = read({"type": kind, "path": str(path), **options})
    bad = found.unreadable.collect()
    if bad.height:
        raise SourceError(bad["_why"][0])
    return found.landed.collect(engine="streaming").height


Record = Callable[[str, object], None]


@pytest.mark.corpus("json-parsing")
@pytest.mark.parametrize("path", files("json-parsing", ".json"))
def test_json_is_strict(path: Path, record_property: Record) -> None:
    try:
        rows("json", path)
    except SourceError as error:
        assert not path.name.startswith("y_")
        record_property("clear_error", str(error))
    else:
        assert not path.name.startswith("n_")


@pytest.mark.corpus("excel")
@pytest.mark.parametrize("path", files("excel"))
def test_workbooks_do_no_harm(path: Path, record_property: Record) -> None:
    start = time.monotonic()
    try:
        rows("excel", path, sheet="all")
    except SourceError as error:
        assert path.name in {"issue_594_dos.ods", "pass_protected.ods"}, error  # noqa: PT017 - one of two ends
        record_property("clear_error", str(error))
    assert time.monotonic() - start < 10
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1024**2  # KiB


#: Rows of the files that are whole.
WHOLE = {
    "ARROW-GH-43605.parquet": 21186,
    "TestOrcFile.emptyFile.orc": 0,
    "TestOrcFile.test1.orc": 2,
    "TestOrcFile.testDate1900.orc": 70000,
    "decimal.orc": 6000,
}


@pytest.mark.corpus("typed")
@pytest.mark.parametrize("path", [*files("parquet-bad", ".parquet"), *files("orc", ".orc")])
def test_typed_files_are_whole_or_refused(path: Path, record_property: Record) -> None:
    kind = "parquet" if path.suffix == ".parquet" else "orc"
    if path.name in WHOLE:
        assert rows(kind, path) == WHOLE[path.name]
    else:
        with pytest.raises(SourceError, match=path.name) as raised:
            rows(kind, path)
        record_property("clear_error", str(raised.value))
