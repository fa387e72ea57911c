"""A small project whose rows are made from a seed, and the oracle: what must be in the lake, worked out from the rows alone.

The oracle knows no table, no batch and no run. How runs are started and killed belongs in `kills`.
"""

from __future__ import annotations

import random
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from dq_pipelines_tests.workshop import Workshop

RULE = "expect_column_values_to_be_between"

_LANDED = """
    source: {{type: csv, path: "{{landing}}/{name}/*.csv"}}
    silver:
      {writes}
      columns: {{id: int64, kind: string, amount: int64}}
      rules: [{{type: expect_column_values_to_be_between, column: amount, min_value: 0}}]
"""
_TABLES = {"events": "", "accounts": "keys: [id]", "snapshots": "write: overwrite"}
_GOLD = """
    gold:
      sql: SELECT kind, sum(amount)::BIGINT AS total, count(*) AS rows FROM silver.events GROUP BY kind
"""

Row = tuple[int, str, int]


@dataclass
class World:
    """The files that have landed so far, and what follows from them."""

    seed: int
    #: the tables that are landed
    tables: Sequence[str] = tuple(_TABLES)
    #: published rows of each table, in the order in which they landed
    published: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in _TABLES})
    #: of each table, how many rows each rule has refused
    refused: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in _TABLES})
    files: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def begin(self, shop: Workshop, *, on_arrival: bool = False) -> None:
        """Write the project; with `on_arrival` a daemon runs it by itself."""
        for name in self.tables:
            text = textwrap.dedent(_LANDED.format(name=name, writes=_TABLES[name]))
            shop.table(name, text + ("on_arrival: true\n" if on_arrival else ""))
        shop.table("totals", textwrap.dedent(_GOLD) + ("automation: eager\n" if on_arrival else ""))

    def land(self, shop: Workshop) -> None:
        """Lay a new file down for each table."""
        self.files += 1
        for name in self.tables:
            # Not fewer: where most lines are too long, the one before them is taken for the header, and the batch is blocked.
            rows = [self._row() for _ in range(self._random.randint(12, 60))]
            lines = ["id,kind,amount", *(line for line, _, _ in rows)]
            # Under another name first, so that nobody meets half of it.
            shop.land(f"{name}/{self.files:05}.tmp", "\n".join(lines) + "\n").rename(
                shop.landing / name / f"{self.files:05}.csv"
            )
            good = [row for _, row, _ in rows if row is not None]
            self.published[name] = good if name == "snapshots" else self.published[name] + good
            self.refused[name].update(rule for _, _, rule in rows if rule is not None)

    def _row(self) -> tuple[str, Row | None, str | None]:
        """A line, and either the row that it becomes or the rule that refuses it."""
        row = (self._random.randint(1, 500), self._random.choice("abc"), self._random.randint(0, 10**6))
        match self._random.randrange(10):
            case 0:
                return f"{row[0]},{row[1]},-{row[2] + 1}", None, RULE
            case 1:
                return f"x{row[0]},{row[1]},{row[2]}", None, "cast"
            case 2:
                return f"{row[0]},{row[1]},{row[2]},more", None, "unreadable"
        return ",".join(map(str, row)), row, None

    @property
    def silver(self) -> dict[str, list[Row]]:
        """What must be published now, sorted."""
        merged = {row[0]: row for row in self.published["accounts"]}
        return {
            name: sorted(rows)
            for name, rows in {**self.published, "accounts": list(merged.values())}.items()
            if name in self.tables
        }

    @property
    def totals(self) -> list[tuple[str, int, int]]:
        """The gold table."""
        kinds = sorted({kind for _, kind, _ in self.published["events"]})
        amounts = {kind: [amount for _, k, amount in self.published["events"] if k == kind] for kind in kinds}
        return [(kind, sum(found), len(found)) for kind, found in amounts.items()]

    def differences(self, shop: Workshop) -> list[str]:
        """What is not as it must be, in a sentence each."""
        found = [line for name, rows in self.silver.items() for line in self._of_table(shop, name, rows)]
        totals = _rows(shop, "gold/totals", "kind", "total", "rows")
        if totals != self.totals:
            found.append(f"gold/totals: {totals} instead of {self.totals}")
        if left := shop.leftovers():
            found.append(f"left behind: {left}")
        return found

    def _of_table(self, shop: Workshop, name: str, wanted: list[Row]) -> list[str]:
        rows, found = _rows(shop, f"silver/{name}", "id", "kind", "amount"), []
        if rows != wanted:
            lost, more = Counter(wanted) - Counter(rows), Counter(rows) - Counter(wanted)
            found.append(f"silver/{name}: {lost.total()} rows lost, {more.total()} too many: {lost or more}")
        refused = Counter(
            reason["rule"] for reasons in shop.rows(f"quarantine/{name}", "_reasons") for reason in reasons
        )
        if refused != self.refused[name]:
            found.append(f"quarantine/{name}: {dict(refused)} instead of {dict(self.refused[name])}")
        return found + self._of_history(shop, name, len(wanted), self.refused[name].total())

    def _of_history(self, shop: Workshop, name: str, published: int, refused: int) -> list[str]:
        """A verdict for each batch that was published, and no other: together they have counted what lies there."""
        verdicts = [each for each in shop.history.of_table(f"silver/{name}", limit=10**6) if each.batch]
        # A rerun has counted anew all that came before it.
        reruns = [place for place, each in enumerate(verdicts) if each.batch.endswith("-rerun")]
        verdicts = verdicts[: reruns[0] + 1] if reruns else verdicts
        batches = Counter(each.batch for each in verdicts)
        found = [f"history of {name}: {n} verdicts on {batch}" for batch, n in batches.items() if n > 1]
        told = sum(each.refused for each in verdicts)
        if told != refused:
            found.append(f"history of {name}: {told} rows refused instead of {refused}")
        if name == "events" and (sum_ := sum(each.published for each in verdicts)) != published:
            found.append(f"history of {name}: {sum_} rows published instead of {published}")
        return found


def _rows(shop: Workshop, key: str, *columns: str) -> list[Any]:
    table = shop.lake.table(key)
    if not table.exists:
        return []
    return sorted(table.scan().select(pl.col(columns)).collect().rows())


#: For those who read a world from outside.
TABLES: Mapping[str, str] = _TABLES
