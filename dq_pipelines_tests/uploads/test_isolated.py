"""Tasks in processes of their own: few at once, and few that wait, since each that waits holds a thread of the server."""

from __future__ import annotations

import threading
import time

import pytest

from dq_pipelines.errors import Transient
from dq_pipelines.uploads import isolated


def test_more_than_a_few_tasks_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Authentication and every route of REST run in the 40 threads of the same pool: waiting tasks would keep all of them."""
    going_on = threading.Event()
    monkeypatch.setattr(isolated, "_ended", lambda *_: going_on.wait(60) and isolated._Ended(0, b"{}", False, ""))
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
