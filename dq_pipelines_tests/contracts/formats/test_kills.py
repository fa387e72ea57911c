"""A commit that is killed outright, wherever it is: it was made whole or not at all, and the next one goes well.

The child counts what it calls in `dq_pipelines.lake`, and kills itself at one of these calls. So a new format is killed at its
own steps, above all before and after each call of its library.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from dq_pipelines.errors import Overtaken
from dq_pipelines.lake.table_lock import claimed
from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines_tests.forks import fork

from .verbs import BEFORE, CASES, ENTRY, VERBS, in_order, rows_of, table_at

pytestmark = pytest.mark.slow

#: Steps at which a commit is killed: all around the calls of libraries, as far as this goes, and some in between.
_LIBRARY, _OWN = 6, 3

CHILD = """
import json, os, signal, sys
from pathlib import Path
from dq_pipelines_tests.contracts.formats.verbs import VERBS, seeded

root, kind, name, at = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
table = seeded(root, kind)
commit = VERBS[name].commit(table)
steps, library = 0, []

def foreign(called):
    module = getattr(called, "__module__", None) or type(getattr(called, "__self__", None)).__module__
    root = module.partition(".")[0]
    return root not in sys.stdlib_module_names and root != "dq_pipelines"

def step(frame, event, called):
    global steps
    code = frame.f_code.co_filename
    is_library = event.startswith("c_") and foreign(called)
    if "/dq_pipelines/lake/" in code or is_library:
        steps += 1
        if is_library:
            library.append(steps)
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)

sys.setprofile(step)
table.commit(commit)
sys.setprofile(None)
print(json.dumps([steps, library]))
"""


def some(steps: list[int], count: int) -> list[int]:
    """As many of them as that, from the first to the last."""
    if len(steps) <= count:
        return steps
    return [steps[round(at * (len(steps) - 1) / (count - 1))] for at in range(count)]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_killed_commit_was_made_or_was_not(tmp_path: Path, kind: str, name: str) -> None:
    dry = fork(CHILD, tmp_path / "dry", kind, name, 0)
    assert dry.ended() == 0, dry.said
    total, library = json.loads(dry.said.splitlines()[-1])
    assert library, "the format calls no library"
    points = {*some(library, _LIBRARY), *some(list(range(1, total + 1)), _OWN)}
    made = {}
    for at in sorted(points):
        child = fork(CHILD, tmp_path / str(at), kind, name, at)
        assert child.ended() in (-signal.SIGKILL, 0), child.said
        made[at] = _is_whole(table_at(tmp_path / str(at), kind), name)
    assert not made[min(made)], "killed at its first step"
    assert sorted(made.values()) == list(made.values()), "once it was made, no later step takes it back"


def _is_whole(table: LakeTable, name: str) -> bool:
    """Whether the commit was made; it is made here where it was not."""
    verb, snapshot = VERBS[name], table.snapshot()
    is_made = ENTRY in snapshot.ledger
    assert rows_of(table) == in_order(verb.after if is_made else BEFORE)
    assert snapshot.rows() == len(rows_of(table))
    if is_made:
        with pytest.raises(Overtaken):
            table.commit(verb.commit(table))
    else:
        table.commit(verb.commit(table))
    assert rows_of(table) == in_order(verb.after)
    assert table.snapshot().ledger == {"batch:b-1": 1, "batch:b-2": 2, ENTRY: 7}
    return is_made


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in CASES}))
def test_what_a_killed_writer_has_staged_is_removed_by_the_next(tmp_path: Path, kind: str) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from dq_pipelines.lake.table_lock import claimed, staged
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import Lake
from dq_pipelines_tests.contracts.formats.verbs import NEW, seeded
import polars as pl

root, kind = Path(sys.argv[1]), sys.argv[2]
table = seeded(root, kind)
with claimed(Lake(str(root)), "orders") as claim:
    stage = Stage(table, "b-3")
    with staged(stage, claim=claim):
        pl.collect_all([stage.sink(NEW.lazy())])
        os.kill(os.getpid(), signal.SIGKILL)
"""
    assert fork(code, tmp_path, kind).ended() == -signal.SIGKILL
    place = Path(table_at(tmp_path, kind).uri)
    assert list(place.glob("b-3/*/*.parquet"))
    with claimed(Lake(str(tmp_path)), "orders"):
        assert not (place / "b-3").exists()
    assert rows_of(table_at(tmp_path, kind)) == in_order(BEFORE)
