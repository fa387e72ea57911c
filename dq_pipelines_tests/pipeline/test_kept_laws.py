"""Laws over any sequence of landing, running, ageing, going back and upkeep: every landed row is in exactly one place."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines.lake.time_travel import Moment
from dq_pipelines.pipeline.maintenance.compaction import run_upkeep
from dq_pipelines.pipeline.maintenance.restore import recover, restore
from dq_pipelines.pipeline.maintenance.retention import expire
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.workshop import Workshop, at_once, delta_of

pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC)
OLD, NEW = ((TODAY - timedelta(days=days)).date().isoformat() for days in (40, 1))

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    retention: {keep: 30d, by: sold_at, backup: true}
    silver:
      KEYS
      columns: {id: int64, sold_at: date, amount: int64}
      transform: [{filter: "amount < 100 or amount is null"}]
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 0}]
"""

#: What becomes of a row: published, refused, or left out by the filter; young or old.
ROW = st.tuples(st.sampled_from(["5", "-5", "x", "500"]), st.sampled_from([OLD, NEW]))
STEP = st.one_of(
    st.lists(ROW, min_size=1, max_size=4),
    st.sampled_from(["rerun", "expire", "recover", "go back", "tend", "replay"]),
)


class Shop:
    """A table, and what has landed in it: amount and date by id."""

    def __init__(self, root: Path, keys: str) -> None:
        self.shop = Workshop(root)
        self.shop.table("sales", SALES.replace("KEYS", keys))
        self.table, self.lake = self.shop.project.tables["sales"], self.shop.lake
        self.backups = Lake(f"{self.lake.root}-backup")
        (self.shop.landing / "sales").mkdir(parents=True)
        self.landed: dict[int, tuple[str, str]] = {}
        self.backed_up = False

    @property
    def work(self) -> TableRun:
        return at_once(TableRun(self.table, self.lake))

    def do(self, step: str | list[tuple[str, str]]) -> None:
        if isinstance(step, list):
            first = len(self.landed)
            new = {first + at: row for at, row in enumerate(step)}
            lines = [f"{number},{date},{amount}" for number, (amount, date) in new.items()]
            self.shop.land(f"sales/{first}.csv", "\n".join(["id,sold_at,amount", *lines, ""]))
            self.landed |= new
        elif self.landed:
            {
                "rerun": self._rerun,
                "expire": self._expire,
                "recover": self._recover,
                "go back": self._go_back,
                "tend": self._tend,
                "replay": self._replay,
            }[step]()
        refine(self.work)

    def _rerun(self) -> None:
        rerun(self.work)

    def _replay(self) -> None:
        replay(self.work, by="ann")

    def _tend(self) -> None:
        run_upkeep(self.work, self.backups, timedelta(days=7))

    def _expire(self) -> None:
        found = expire(self.work, self.backups)
        self.backed_up = self.backed_up or bool(found and found.total)
        for layer in ("bronze", "silver", "quarantine"):
            assert OLD not in {str(day) for day in self._column(layer, "sold_at")}

    def _recover(self) -> None:
        if self.backed_up:
            recover(self.work, self.backups)

    def _go_back(self) -> None:
        version = delta_of(self.lake.table("silver/sales")).version()
        restore(self.work, Moment(str(version // 2)))
        self._recover()  # what is back in silver is to be back in bronze too

    def _column(self, layer: str, column: str) -> list[object]:
        table: LakeTable = self.lake.table(f"{layer}/sales")
        return [] if not table.exists else table.scan().collect()[column].to_list()

    def each_row_is_in_one_place(self) -> None:
        silver = Counter(int(str(number)) for number in self._column("silver", "id"))
        quarantine = Counter(int(str(number)) for number in self._column("quarantine", "id"))
        bronze = Counter(int(str(number)) for number in self._column("bronze", "id"))
        for number, (amount, date) in self.landed.items():
            found = (bronze[number], silver[number], quarantine[number])
            wanted = {"5": (1, 1, 0), "500": (1, 0, 0)}.get(amount, (1, 0, 1))
            assert found == wanted or (date == OLD and found == (0, 0, 0)), (number, amount, date, found)


@pytest.mark.parametrize("keys", ["", "keys: [id]"], ids=["append", "merge"])
@settings(max_examples=6)
@given(steps=st.lists(STEP, min_size=3, max_size=9))
def test_each_row_is_in_one_place(keys: str, steps: list[str | list[tuple[str, str]]]) -> None:
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder), keys)
        for step in steps:
            shop.do(step)
            shop.each_row_is_in_one_place()
        assert refine(shop.work) is None
