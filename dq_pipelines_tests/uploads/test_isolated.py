"""Tasks in processes of their own: few at once, and few that wait, since each that waits holds a thread of the server."""

from __future__ import annotations

import io
import tempfile
import threading
import time
from pathlib import Path

import pytest

from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.uploads import isolated


def test_more_than_a_few_tasks_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Authentication and every route of REST run in the 40 threads of the same pool: waiting tasks would keep all of them."""
    going_on = threading.Event()
    monkeypatch.setattr(isolated, "_ended", lambda *_: going_on.wait(60) and isolated._Ended(0, b"{}", "", ""))
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(isolated.run_isolated("inspect", {"name": "a.csv", "path": "a.csv"}))
        except Transient as error:
            outcomes.append(error)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 5
    while len(outcomes) < 14 and time.monotonic() < until:
        time.sleep(0.01)
    refused = list(outcomes)
    going_on.set()
    for thread in threads:
        thread.join()
    assert [type(one) for one in refused] == [Transient] * 14
    assert [one for one in outcomes if not isinstance(one, Transient)] == [{}] * 6
    assert isolated.run_isolated("inspect", {"name": "a.csv", "path": "a.csv"}) == {}, "turns are given back"


def test_all_that_a_task_writes_together_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file may be small: their number is not limited."""
    (tmp_path / "hog.py").write_text(
        "import json, sys, pathlib, time\n"
        "folder = pathlib.Path(json.load(sys.stdin)['scratch'])\n"
        "for number in range(64):\n"
        "    (folder / f'{number}').write_bytes(bytes(1 << 20))\n"
        "time.sleep(300)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(isolated, "_MODULE", "hog")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    limits = isolated.WorkLimits(disk=8 << 20)
    with pytest.raises(
        SourceError, match=r"^a\.csv: wanted a file that is looked at with 0\.0 GB of disk, got one that needs more$"
    ):
        isolated.run_isolated("inspect", {"name": "a.csv", "path": "a.csv"}, limits)
    assert list(scratch.iterdir()) == [], "nothing is left of it"


def test_a_file_is_looked_at_in_a_copy_of_its_own() -> None:
    asked = {"name": "a.csv", "folder": "shop", "table": "stock", "options": {}, "settings": {}}
    found = isolated.run_isolated("inspect", asked, file=io.BytesIO(b"id\n1\n2\n"))
    assert (found["rows"], found["columns"]) == (2, ["id"])
