"""Writers in processes of their own, at one table at once and without a claim: nothing is lost, nothing is done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq_pipelines.lake import formats
from dq_pipelines_tests.forks import fork

from .verbs import NAMES, table_at

pytestmark = pytest.mark.slow

WRITERS, ROUNDS = 4, 8

#: Each writer appends batches of its own, tries to be the first with those that all want, and rewrites the row of its number.
CHILD = """
import sys
from pathlib import Path
import polars as pl
from dq_pipelines.errors import Overtaken
from dq_pipelines.lake.formats.commit import Append, Commit, Delete, Merge
from dq_pipelines_tests.contracts.formats.verbs import staged, table_at

root, kind, writer, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
table = table_at(root, kind)

def rows(id, what):
    return pl.DataFrame({"id": [id], "writer": [writer], "_batch": [what]})

def insist(change, entries):
    for _ in range(400):
        try:
            table.commit(Commit(change(), entries))
            return
        except Overtaken:
            pass
    raise AssertionError(f"{writer} was overtaken 400 times")

for at in range(rounds):
    own, shared = f"own-{writer}-{at}", f"shared-{at}"
    insist(lambda: Append(staged(table, rows(1000 + at, own), own)), {own: at})
    while True:
        try:
            stage = staged(table, rows(2000 + at, shared), f"{shared}-{writer}")
            table.commit(Commit(Append(stage), {shared: at}, once={shared: None}))
        except Overtaken as error:
            if shared in table.snapshot().ledger:
                break
        else:
            print(shared)
            break
    if table.format.capabilities.merge:
        insist(lambda: Merge(staged(table, rows(writer, own), f"{own}-merged"), ("id",)), {f"merged-{writer}": at})
    insist(lambda: Delete("_batch", (f"own-{writer}-{at - 1}",)), {f"deleted-{writer}": at})
"""


@pytest.mark.parametrize("kind", NAMES)
def test_writers_lose_nothing_and_do_nothing_twice(tmp_path: Path, kind: str) -> None:
    first = """
import sys
from pathlib import Path
import polars as pl
from dq_pipelines.lake.formats.commit import Append, Commit
from dq_pipelines_tests.contracts.formats.verbs import staged, table_at
table = table_at(Path(sys.argv[1]), sys.argv[2])
rows = pl.DataFrame({"id": [-1], "writer": [-1], "_batch": ["first"]})
table.commit(Commit(Append(staged(table, rows, "first")), {"first": 1}))
"""
    assert fork(first, tmp_path, kind).ended() == 0
    writers = [fork(CHILD, tmp_path, kind, writer, ROUNDS) for writer in range(WRITERS)]
    for writer in writers:
        assert writer.ended(300) == 0, writer.said
    snapshot = table_at(tmp_path, kind).snapshot()
    ledger, rows = snapshot.ledger, snapshot.scan().collect()
    winners = [line for writer in writers for line in writer.said.splitlines()]
    assert sorted(winners) == [f"shared-{at}" for at in range(ROUNDS)], "each has one winner"
    assert sorted(rows.filter(rows["id"] >= 2000)["id"]) == [2000 + at for at in range(ROUNDS)], "and one row"
    assert sorted(rows.filter(rows["id"].is_between(1000, 1999))["_batch"]) == [
        f"own-{writer}-{ROUNDS - 1}" for writer in range(WRITERS)
    ], "each has deleted its own, but the last"
    assert {name for name in ledger if name.startswith("own-")} == {
        f"own-{writer}-{at}" for writer in range(WRITERS) for at in range(ROUNDS)
    }
    if formats.named(kind).capabilities.merge:
        merged = rows.filter(rows["id"].is_between(0, 999)).sort("id")
        assert merged["id"].to_list() == merged["writer"].to_list() == list(range(WRITERS)), "each row once"
        assert all(ledger[f"merged-{writer}"] == ROUNDS - 1 for writer in range(WRITERS))
    assert [record.version for record in snapshot.history()] == list(range(snapshot.version, -1, -1))
