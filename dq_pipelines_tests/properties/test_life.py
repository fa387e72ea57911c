"""Through a table's life, with partitions, merges and references into itself: what is published is what the order says.

How a run is stopped, and files and columns that change, is in `test_stateful`.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections import Counter
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

from dq_pipelines.pipeline.exchange.corrections_exchange import ReturnedFile, export, import_corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, refused_of, set_status
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED, OPEN
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.modes import incremental
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines.transforms.types import dtype_of
from dq_pipelines_tests.properties.life_model import Fate, Life, Row
from dq_pipelines_tests.workshop import Workshop

TABLE = """
source: {{type: csv, path: "{{landing}}/*.csv"}}
{partitions}
silver:
  {mode}
  columns: {{id: int64, boss: int64, amount: int64, at: int64, tag: string, size: "{kind}"}}
  rules:
    - {{type: expect_column_values_to_be_between, column: amount, min_value: {least}}}
    {reference}
"""
DAILY = 'partitions: {type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}'
REFERENCE = "- {type: expect_column_values_to_exist_in, column: boss, table: silver/NAME, key: id}"
MODES = {"append": "", "merge": "keys: [id]", "order": "keys: [id]\n  merge: {order_by: at}"}

#: The types that a column of whole numbers may have.
KINDS = ["int64", "float64", "string", "decimal(9,2)"]

DAYS = ["2024-01-01", "2024-01-02", "2024-01-03"]
KEYS = st.integers(1, 4)
CELLS = st.lists(
    st.tuples(KEYS, st.none() | st.none() | KEYS, st.sampled_from([-5, 1, 5, 9]), st.integers(0, 9)),
    min_size=1,
    max_size=3,
)
DAY = st.sampled_from(DAYS)
WHICH = st.integers(0, 9)


class Table(RuleBasedStateMachine):
    """One table in its lake, and the model of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="dq-life-"))
        self.shop, self.life, self.files = Workshop(self.root), Life(), 0
        self.name, self.mode, self.kind = "t0", "append", "int64"

    @initialize(partitioned=st.booleans(), mode=st.sampled_from(sorted(MODES)), refers=st.booleans(), cells=CELLS)
    def begin(self, partitioned: bool, mode: str, refers: bool, cells: list[tuple[int, int | None, int, int]]) -> None:
        self.life = Life(refers=refers, partitioned=partitioned)
        self._write_as(mode)
        self.land(DAYS[0], cells)
        self.say()
        self.run(DAYS[0])

    def say(self) -> None:
        said = {
            "partitions": DAILY if self.life.partitioned else "",
            "mode": MODES[self.mode],
            "kind": self.kind,
            "least": self.life.least,
            "reference": REFERENCE.replace("NAME", self.name) if self.life.refers else "",
        }
        self.shop.table(self.name, TABLE.format(**said))
        self.table = self.shop.project.tables[self.name]

    def _write_as(self, mode: str) -> None:
        self.mode, self.life.merges, self.life.by_order = mode, mode != "append", mode == "order"

    def teardown(self) -> None:
        try:
            for day in self.days:
                self.rerun(day)
            self.agree()
        finally:
            shutil.rmtree(self.root)

    @property
    def days(self) -> list[str]:
        return DAYS if self.life.partitioned else DAYS[:1]

    def work(self, day: str) -> TableRun:
        return TableRun(self.table, self.shop.lake, day if self.life.partitioned else None)

    # --- people -----------------------------------------------------------------------------------

    @rule(day=DAY, cells=CELLS)
    def land(self, day: str, cells: list[tuple[int, int | None, int, int]]) -> None:
        """Two files of one key in a batch, and late files of an earlier day, come of themselves."""
        self.files += 1
        rows = self.life.land(day, cells)
        lines = [
            f"{row.key},{'' if row.boss is None else row.boss},{row.amount},{row.at},{row.tag},{row.at}" for row in rows
        ]
        # The later file has the lesser name: it is the time that counts.
        name = f"{day}_{999 - self.files}.csv"
        self.shop.land(name, "\n".join(["id,boss,amount,at,tag,size", *lines, ""]))

    @rule(least=st.sampled_from([-9, 0, 3, 7]))
    def change_rule(self, least: int) -> None:
        self.life.least = least
        self.say()

    @rule(partitioned=st.booleans())
    def rename(self, partitioned: bool) -> None:
        """The table gets another name, and maybe other partitions; under that all files land once more."""
        (self.root / "assets_config" / "shop" / f"{self.name}.yaml").unlink()
        self.name = f"t{int(self.name[1:]) + 1}"
        self.life.partitioned = partitioned
        self.life.rename()
        self.say()

    @rule(mode=st.sampled_from(sorted(MODES)), kind=st.sampled_from(KINDS))
    def write_in_another_way(self, mode: str, kind: str) -> None:
        """Keys come or go in YAML, or a type changes: the table is made anew, day by day, before anything else is done."""
        self._write_as(mode)
        self.kind = kind
        self.say()
        for day in self.days:
            self.rerun(day)

    @precondition(lambda self: self.life.of(Fate.OPEN))
    @rule(which=WHICH)
    def dismiss(self, which: int) -> None:
        self._give(Fate.OPEN, which, DISMISSED, Fate.DISMISSED)

    @precondition(lambda self: self.life.of(Fate.DISMISSED))
    @rule(which=WHICH)
    def reopen(self, which: int) -> None:
        self._give(Fate.DISMISSED, which, OPEN, Fate.OPEN)

    def _give(self, fate: Fate, which: int, status: str, then: Fate) -> None:
        row = self._one(fate, which)
        assert set_status(self.work(row.day), RefusedRowFilter(ids=[self._id(row)]), status, "ann") == 1
        row.fate = then

    def _one(self, fate: Fate, which: int) -> Row:
        rows = self.life.of(fate)
        return rows[which % len(rows)]

    def _id(self, row: Row) -> str:
        (found,) = [each["_id"] for each in self.shop.rows(f"quarantine/{self.name}") if each["tag"] == row.tag]
        return str(found)

    def _edited(self, row: Row, amount: int) -> ReturnedFile:
        """A CSV of all open rows of a day, in which a person has changed one cell."""
        path = self.root / "refused.csv"
        export(self.work(row.day), path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            head, *lines = list(csv.reader(file))
        for line in lines:
            if line[head.index("tag")] == row.tag:
                line[head.index("amount")] = str(amount)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([head, *lines])
        return ReturnedFile.read(path)

    # --- runs -------------------------------------------------------------------------------------

    @rule(day=DAY)
    def run(self, day: str) -> None:
        incremental(self.work(day))
        self.life.run(day)

    @rule(day=DAY)
    def rerun(self, day: str) -> None:
        if self.life.of(Fate.ARRIVING, day) or self.shop.lake.table(f"bronze/{self.name}").exists:
            rerun(self.work(day))
            self.life.rerun(day)

    @rule(day=DAY)
    def replay(self, day: str) -> None:
        replay(self.work(day), by="ann")
        self.life.replay(day)

    @precondition(lambda self: self.life.of(Fate.OPEN))
    @rule(which=WHICH, amount=st.sampled_from([-7, 8]), by_file=st.booleans())
    def mend(self, which: int, amount: int, by_file: bool) -> None:
        row = self._one(Fate.OPEN, which)
        chosen, was = RefusedRowFilter(ids=[self._id(row)]), row.amount
        if by_file:
            import_corrections(self.work(row.day), self._edited(row, amount), by="ann")
        else:
            replay(self.work(row.day), chosen, by="ann", edits={self._id(row): {"amount": str(amount)}})
        row.amount = amount
        self.life.replay(row.day, [row])
        if row.fate is not Fate.KEPT:  # what was mended is noted of rows that it publishes
            row.amount = was

    @invariant()
    def agree(self) -> None:
        """Silver and quarantine hold what the rows and their order say, and nothing lies about."""
        published = self.shop.rows(f"silver/{self.name}")
        assert {self.shop.lake.table(f"silver/{self.name}").scan().collect_schema()["size"] for _ in published[:1]} <= {
            dtype_of(self.kind)
        }
        assert sorted(map(_cells, published)) == sorted(map(_told, self.life.published))
        if self.life.partitioned:
            assert all(row["_partition"] == self.life.rows[int(row["tag"][1:])].day for row in published)
        found: Counter[tuple[str, str]] = Counter()
        if self.shop.lake.table(f"quarantine/{self.name}").exists:
            refused = refused_of(TableRun(self.table, self.shop.lake)).collect().to_dicts()
            found = Counter((row["tag"], row["_status"]) for row in refused if row["_status"] in (OPEN, DISMISSED))
        wanted = {OPEN: Fate.OPEN, DISMISSED: Fate.DISMISSED}
        assert found == Counter((row.tag, status) for status, fate in wanted.items() for row in self.life.of(fate))
        assert self.shop.leftovers() == []


def _cells(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["tag"], row["id"], row["amount"], row["at"], float(row["size"])


def _told(row: Row) -> tuple[Any, ...]:
    return row.tag, row.key, row.amount, row.at, row.at


def test_a_few_lives() -> None:
    _live(examples=2, steps=8)


@pytest.mark.slow
def test_what_is_published_is_what_the_order_says() -> None:
    many = settings().max_examples > 1_000
    _live(examples=300 if many else 12, steps=30 if many else 12)


def _live(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Table,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )
