"""Whatever is done to a table, in whatever order, and wherever it is stopped: each landed row is in one place, as it came.

What that place is works the model out (`row_model`); in the end the table is also held against a fresh lake's, which had
the same files, corrections and rule from the start.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial, reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.bronze.landed import pending_batches
from dq_pipelines.pipeline.quarantine.quarantine_status import ALL, RefusedRowFilter, refused_of, set_status
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED, FIXED, OPEN, REPLAYED
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.replay.replayed import Replayed
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.runtime.verdict_recovery import recover_verdicts
from dq_pipelines.pipeline.silver.modes import incremental
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines_tests.properties.row_model import (
    EXTRAS,
    MENDED,
    Commits,
    Model,
    Place,
    Row,
    Stopped,
    as_mended,
    worth,
)
from dq_pipelines_tests.properties.stopping import BrokenOff, Stop, Stopping
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow


TABLE = """
    source: {type: parquet, path: "{landing}/t/*.parquet"}
    schema: POLICY
    silver:
      KEYS
      columns: {id: int64, amount: int64, tag: string}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: LEAST}]
"""


AMOUNTS = st.sampled_from(["7", "-5", "x", "3"])


CELLS = st.lists(st.tuples(st.integers(1, 3), AMOUNTS), min_size=1, max_size=3)


LEAST = st.sampled_from([0, -10, 5])


#: How a run is stopped, and at which of its commits.
STOPS = st.none() | st.tuples(st.sampled_from(["cancelled", "before", "after"]), st.integers(1, 3))


WHICH = st.integers(0, 7)


class Table(RuleBasedStateMachine):
    """One table, its lake, and the model of both."""

    keys = ""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="dq-stateful-"))
        self.shop, self.model = Workshop(self.root / "one"), Model(merges=bool(self.keys))
        self.open = ExitStack()
        self.open.enter_context(self.shop.instance)
        self.written, self.is_sound = 0, True

    @initialize(policy=st.sampled_from(sorted(EXTRAS)))
    def begin(self, policy: str) -> None:
        self.model.policy = policy
        self.say_rule(self.shop)
        # From the start there are refused rows, for most of what can be done is done to them.
        self.land_file([(1, "7"), (2, "-5"), (3, "x"), (2, "-4")])
        self.run(None)

    def say_rule(self, shop: Workshop) -> None:
        said = {"KEYS": self.keys, "LEAST": str(self.model.least), "POLICY": self.model.policy}
        shop.table("t", reduce(lambda text, each: text.replace(*each), said.items(), TABLE))
        self.table = shop.project.tables["t"]

    def teardown(self) -> None:
        try:
            if self.is_sound:
                self.rerun(None)
                self.agree()
                self.a_fresh_lake_would_be_the_same()
        finally:
            self.open.close()
            shutil.rmtree(self.root)

    # --- people -----------------------------------------------------------------------------------

    @rule(cells=CELLS)
    def land_file(self, cells: list[tuple[int, str]]) -> None:
        self._write(self._new(), cells)

    @rule(which=WHICH, cells=CELLS)
    def change_file(self, which: int, cells: list[tuple[int, str]]) -> None:
        self._write(self._there(which), cells)

    @rule(which=st.none() | WHICH, cells=CELLS, shape=st.integers(0, 4), amounts=st.booleans())
    def evolve(self, which: int | None, cells: list[tuple[int, str]], shape: int, amounts: bool) -> None:
        """A file, new or changed, whose extra column is of another type, or not there; or without amounts."""
        self._write(self._new() if which is None else self._there(which), cells, shape, amounts=amounts)

    def _new(self) -> str:
        self.written += 1
        return f"{self.written:02}.parquet"

    def _there(self, which: int) -> str:
        return sorted(self.model.files)[which % len(self.model.files)]

    def _write(self, name: str, cells: list[tuple[int, str]], shape: int = 0, *, amounts: bool = True) -> None:
        self.shop.land(f"t/{name}", self.model.write(name, cells, shape, amounts=amounts))

    @rule(least=LEAST)
    def change_rule(self, least: int) -> None:
        self.model.least = least
        self.say_rule(self.shop)

    # --- runs -------------------------------------------------------------------------------------

    @rule(stop=STOPS)
    def run(self, stop: Stop) -> None:
        self._do(incremental, self.model.refine, stop)

    @rule(stop=STOPS)
    def run_bronze(self, stop: Stop) -> None:
        self._do(land, self.model.land, stop)

    @rule(stop=STOPS, then=st.sampled_from(["run", "rerun", "replay"]), once_more=STOPS)
    def rerun(self, stop: Stop, then: str = "rerun", once_more: Stop = None) -> None:
        self._do(rerun, self.model.rerun, stop)
        # Where it was stopped halfway no law holds, until somebody has come to the end of it.
        for again in (once_more, None):
            if self.model.is_torn:
                {
                    "run": lambda stop: self._do(incremental, self.model.refine, stop),
                    "rerun": lambda stop: self._do(rerun, self.model.rerun, stop),
                    "replay": lambda stop: self._replay(ALL, None, {}, stop),
                }[then](again)

    # --- refused rows -----------------------------------------------------------------------------

    @precondition(lambda self: self.model.at(Place.OPEN))
    @rule(which=WHICH, amount=st.sampled_from(["8", "9", "-7"]), stop=STOPS)
    def mend(self, which: int, amount: str, stop: Stop) -> None:
        row = self._one(Place.OPEN, which)
        self._replay(RefusedRowFilter(ids=[self._id(row)]), [row], {row.tag: amount}, stop)

    @rule(stop=STOPS)
    def replay(self, stop: Stop) -> None:
        self._replay(ALL, None, {}, stop)

    @precondition(lambda self: self.model.at(Place.OPEN))
    @rule(which=WHICH, stop=STOPS)
    def dismiss(self, which: int, stop: Stop) -> None:
        self._give(self._one(Place.OPEN, which), DISMISSED, Place.DISMISSED, stop)

    @precondition(lambda self: self.model.at(Place.DISMISSED))
    @rule(which=WHICH, stop=STOPS)
    def reopen(self, which: int, stop: Stop) -> None:
        self._give(self._one(Place.DISMISSED, which), OPEN, Place.OPEN, stop)

    def _one(self, place: Place, which: int) -> Row:
        rows = self.model.at(place)
        return rows[which % len(rows)]

    def _id(self, row: Row) -> str:
        (found,) = [each["_id"] for each in self.shop.rows("quarantine/t") if each["tag"] == row.tag]
        return str(found)

    def _replay(self, chosen: RefusedRowFilter, rows: list[Row] | None, mended: dict[str, str], stop: Stop) -> None:
        edits = {
            self._id(row): {"amount": mended[row.tag], "extra": str(MENDED)} for row in rows or () if row.tag in mended
        }
        doing = partial(replay, chosen=chosen, by="ann", edits=edits)
        self._do(doing, lambda commits: self.model.replay(rows, mended, commits), stop)

    def _give(self, row: Row, status: str, place: Place, stop: Stop) -> None:
        chosen = RefusedRowFilter(ids=[self._id(row)])
        doing = partial(set_status, chosen=chosen, status=status, by="ann")
        self._do(doing, lambda commits: self.model.give([row], place, commits), stop)

    # --- how it is done and looked at -------------------------------------------------------------

    def _do(self, what: Callable[[TableRun], Any], model: Callable[[Commits], None], stop: Stop) -> None:
        """Do it to the lake, as a run of Dagster would, and to the model."""
        self.is_sound = False
        stopping = Stopping(stop)
        commits = stopping.commits
        work = TableRun(self.table, self.shop.lake, may_commit=stopping.may_commit, run_id=f"run {uuid.uuid4()}")
        recover_verdicts(work.lake, work.table.key, self.shop.history)
        try:
            with stopping():
                done = what(work)
            records = done.records if isinstance(done, Replayed) else ()
            if isinstance(done, Outcome):
                records = (done.record(work.run_id, checked_rules(work.table)),)
            for record in records:
                self.shop.history.record(record)
        except BrokenOff:
            commits.stopped = True
        with suppress(Stopped):
            model(commits)

    @invariant()
    def agree(self) -> None:
        """The lake and the history say what the model says, and nothing lies about."""
        model, work = self.model, TableRun(self.table, self.shop.lake)
        recover_verdicts(work.lake, work.table.key, self.shop.history)
        assert published(self.shop) == sorted(map(as_published, model.at(Place.PUBLISHED)), key=repr)
        assert waiting(work) - tags(model.at(Place.GONE)) == tags(model.at(Place.WAITING))
        found = quarantined(work)
        assert found[OPEN] == cells(model.at(Place.OPEN))
        assert found[DISMISSED] == cells(model.at(Place.DISMISSED))
        healed = Counter(tag for status in (FIXED, REPLAYED) for tag, _ in found[status].elements())
        assert not healed - tags(model.at(Place.PUBLISHED, Place.REPLACED, Place.GONE))
        records = self.shop.history.of_table("silver/t", limit=1_000)
        assert Counter((each.rows_in, each.published, each.refused) for each in records) == Counter(model.told)
        assert self.shop.leftovers() == []
        self.is_sound = True

    def a_fresh_lake_would_be_the_same(self) -> None:
        """Each file's latest version, mended, in the order in which they came."""
        shop = Workshop(self.root / "fresh", self.shop.instance)
        self.say_rule(shop)
        work = TableRun(self.table, shop.lake)
        for name, rows in sorted(self.model.files.items(), key=lambda item: self.model.first[item[0]]):
            # Those that were given up are not published, whatever the rule says of them by now.
            shop.land(f"t/{name}", as_mended([row for row in rows if row.place is not Place.DISMISSED]))
            refine(TableRun(self.table, shop.lake))
        assert published(shop) == published(self.shop)
        here = quarantined(TableRun(self.table, self.shop.lake))
        assert quarantined(work)[OPEN] == here[OPEN]


class MergedTable(Table):
    """One whose rows replace those of the same key."""

    keys = "keys: [id]"


def tags(rows: list[Row]) -> Counter[str]:
    return Counter(row.tag for row in rows)


def cells(rows: list[Row]) -> Counter[tuple[str, object]]:
    """Rows by tag, with the cell that no type was declared for."""
    return Counter((row.tag, worth(row.shown)) for row in rows)


def as_published(row: Row) -> tuple[object, ...]:
    return row.key, None if row.text is None else int(row.text), row.tag, worth(row.extra)


def published(shop: Workshop) -> list[tuple[object, ...]]:
    rows = shop.rows("silver/t")
    return sorted(((row["id"], row["amount"], row["tag"], worth(row.get("extra"))) for row in rows), key=repr)


def waiting(work: TableRun) -> Counter[str]:
    """What of bronze silver has not consumed, by tag."""
    bronze = work.lake.table("bronze/t")
    if not bronze.exists:
        return Counter()
    rows = bronze.scan().collect()
    batches = pending_batches(work.table, work.lake, work.silver)
    return Counter(row["tag"] for row in rows.to_dicts() if row["_batch"] in batches)


def quarantined(work: TableRun) -> dict[str, Counter[tuple[str, object]]]:
    """The refused rows as people see them, by status, tag and extra cell."""
    found: dict[str, Counter[tuple[str, object]]] = {status: Counter() for status in (OPEN, DISMISSED, FIXED, REPLAYED)}
    for row in refused_of(work).collect().to_dicts():
        # The machine counts refused rows that a later version of their file supersedes as open: nobody has settled them.
        status = OPEN if row["_status"] == "superseded" else row["_status"]
        found[status][row["tag"], worth(row.get("extra"))] += 1
    return found


@pytest.mark.parametrize("machine", [Table, MergedTable], ids=["append", "merge"])
def test_every_row_is_in_one_place(machine: type[Table]) -> None:
    many = settings().max_examples > 1_000
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=300 if many else 5,
            stateful_step_count=30 if many else 12,
            suppress_health_check=list(HealthCheck),
        ),
    )
