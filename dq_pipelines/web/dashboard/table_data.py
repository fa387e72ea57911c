"""The tab of a table's data: the first published rows, and each column with its profile in the last batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import PublishError
from dq_pipelines.history.queries.series import latest
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.monitoring.metrics.merged_batches import BatchRange
from dq_pipelines.sources.failures import errors_of_readers
from dq_pipelines.transforms.types import name_of
from dq_pipelines.web.dashboard.lake_errors import told
from dq_pipelines.web.dashboard.table_page import TableVisit

#: Rows that are shown.
ROWS = 20


@dataclass(frozen=True)
class ColumnLine:
    """One column of the published table."""

    name: str
    type: str
    description: str
    #: None where the last batch did not measure it
    profile: ColumnMetrics | None

    @property
    def values(self) -> str:
        """The range of its values and their mean, or the lengths of its texts; "" where neither is known."""
        of = self.profile
        if of is None:
            return ""
        if of.min is not None and of.max is not None:
            mean = f", mean {self._shown(of.mean)}" if of.mean is not None else ""
            return f"{self._shown(of.min)} to {self._shown(of.max)}{mean}"
        if of.min_length is not None and of.max_length is not None:
            lengths = f"{of.min_length:,} to " if of.min_length != of.max_length else ""
            return f"{lengths}{counted(of.max_length, 'character')}"
        return ""

    def _shown(self, value: float) -> str:
        """A number, or a moment: dates and times are measured in seconds."""
        if self.type.startswith("date"):
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
            return moment.strftime("%Y-%m-%d" if self.type == "date" else "%Y-%m-%d %H:%M")
        return f"{value:,.4f}".rstrip("0").rstrip(".") if 1e-4 <= abs(value) < 1e15 else f"{value:.6g}"


@dataclass(frozen=True)
class DataTab:
    """The first rows of a published table, and its columns."""

    columns: Sequence[ColumnLine]
    rows: Sequence[Mapping[str, Any]]
    #: why there are no rows, in a sentence; "" otherwise
    why: str = ""


def data_tab(of: TableVisit) -> DataTab:
    """The data of the table as it is published now."""
    table = of.visit.site.stores.lake.table(of.key)
    failures: tuple[type[BaseException], ...] = (PublishError, *errors_of_readers())
    try:
        if not table.exists:
            return DataTab((), (), "Nothing has been published yet.")
        scan = table.scan().drop(PARTITION, strict=False)
        schema, rows = scan.collect_schema(), scan.head(ROWS).collect().rows(named=True)
    except failures as error:
        return DataTab((), (), f"The rows cannot be read: {told(error, of.visit.site.stores.lake)}")
    profiles = _profiles(of)
    model = None if of.page.table is None or of.page.table.is_gold else of.page.table.landed.silver.columns
    columns = [
        ColumnLine(name, name_of(dtype), _description(model, name), profiles.get(name))
        for name, dtype in schema.items()
    ]
    return DataTab(columns, rows, "" if rows else "The published table has no rows.")


def _profiles(of: TableVisit) -> dict[str, ColumnMetrics]:
    """The metrics of the last published batch, by column."""
    history = of.visit.history
    for last in latest(history, [of.key]):
        _, columns = BatchRange(of.key, last.partition, last.at, last.at).metrics(history)
        return {one.column: one for one in columns}
    return {}


def _description(declared: Mapping[str, Any] | None, name: str) -> str:
    column = (declared or {}).get(name)
    return (column.description or "") if column is not None else ""
