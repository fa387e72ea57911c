"""The protocol of a backend: it holds rows, and judges the rules of a plan over them. The judge knows nothing else of it.

A backend is two classes: a `Backend`, which opens data, and a `Scan`, which is rows with the plan of their rules. One that
can also write the rows that it keeps and refuses is a `StagingBackend` with a `StagingScan`. Which backends there are is in
`registry`; the tests of `contracts/` run every example of every rule on each of them.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import polars as pl

from dq_pipelines.engine.plan import PlannedRule, ScanPlan
from dq_pipelines.engine.results.samples import Rows, Samples
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.auxiliary_queries import AuxiliaryQuery
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.column_statistics import ColumnStatistics
from dq_pipelines.rules.core.dialect import Dialect
from dq_pipelines.rules.core.on_rows import RowRule

#: Gives the published rows of `<layer>/<table>`, for rules that look into another table.
Lookup = Callable[[str], pl.LazyFrame]

#: Boolean columns of marked rows, as well as a flag for each rule: the row goes to quarantine, or is discarded.
REFUSED, DROPPED = "_refused", "_dropped"


def no_tables(table: str) -> pl.LazyFrame:
    """The lookup of a judgement outside a project; raises RuleError."""
    raise RuleError(f"'{table}' is a table of a project, and these data are judged outside one")


class Backend(abc.ABC):
    """One backend, connected to wherever it runs. It lives as long as frames of it are used."""

    #: what `engine=` calls it, and what results name
    name: ClassVar[str]
    #: what stands before `://` in an address of it
    schemes: ClassVar[tuple[str, ...]] = ()
    #: whether it can write kept and refused rows in the pass that counts them; then it is a StagingBackend
    can_stage: ClassVar[bool] = False
    #: whether its rows have an order, so that they can be numbered
    has_row_order: ClassVar[bool] = False
    #: whether rules may raise an error together that none of them raises alone
    fails_together: ClassVar[bool] = False
    #: how it writes expressions; this may depend on its settings
    dialect: Dialect
    #: what it lacks whatever the data: a class of rules or of auxiliary queries, and the reason
    gaps: ClassVar[Mapping[type[Rule | AuxiliaryQuery], str]] = {}
    #: the backend that judges by the rules that this one lacks; `registry` sets it
    reference: Backend | None = None

    def __init__(self, address: str | None = None) -> None:  # noqa: B027 - not every backend has addresses
        """Connect to `address`, or to where the backend's own settings say; raises SourceError."""

    @classmethod
    @abc.abstractmethod
    def owns(cls, data: Any) -> bool:
        """Whether `data` is a frame or a table of this backend, to be judged where it is."""

    @classmethod
    def gap(cls, rule: Rule) -> str | None:
        """Why it cannot judge by the rule, whatever the data; None when it can."""
        query = rule.auxiliary_query() if isinstance(rule, RowRule) else None
        kinds = (type(rule), *([] if query is None else [type(query)]))
        return next((cls.gaps[base] for kind in kinds for base in kind.__mro__ if base in cls.gaps), None)

    @abc.abstractmethod
    def open(self, data: Any) -> Any:
        """The frame, in the backend's own type, of a frame or table that it owns, or of any other frame.

        Raises SourceError for data that it cannot read.
        """

    def open_file(self, path: str | Path, rows: pl.LazyFrame) -> Any:
        """The frame of a file, whose rows a source has read as `rows`. A backend may read the file itself."""
        return self.open(rows)

    @abc.abstractmethod
    def rows(self, frame: Any) -> pl.LazyFrame:
        """The rows of a frame of this backend as a Polars frame, read when that is collected."""

    @abc.abstractmethod
    def scan(
        self,
        frame: Any,
        rules: Sequence[Rule],
        *,
        lookup: Lookup = no_tables,
        hidden: frozenset[str] = frozenset(),
        statistics: Mapping[str, ColumnStatistics] | None = None,
        types: Mapping[str, pl.DataType] | None = None,
    ) -> Scan:
        """The frame with the plan of its rules.

        `hidden` columns travel along with the rows; rules do not see them. `statistics` are what metadata say of columns.
        `types` are the columns of the Polars frame that was opened, if one was: rules judge by those types.
        """

    @property
    @abc.abstractmethod
    def errors(self) -> tuple[type[BaseException], ...]:
        """The exceptions that a rule may cause in it."""


@dataclass(frozen=True)
class Scan(abc.ABC):
    """Rows of one backend, the plan of the rules that judge them, and the answers that are known so far."""

    backend: Backend
    #: the rows, in the backend's own type
    frame: Any
    plan: ScanPlan
    lookup: Lookup = no_tables
    #: columns of the frame that rules do not see; they travel along with every row
    hidden: frozenset[str] = frozenset()

    @property
    def rules(self) -> Sequence[Rule]:
        return self.plan.rules

    @property
    def columns(self) -> list[str]:
        """The columns that rules see."""
        return list(self.plan.schema)

    @property
    @abc.abstractmethod
    def rows(self) -> pl.LazyFrame:
        """All rows, with hidden columns."""

    @property
    @abc.abstractmethod
    def kept(self) -> pl.LazyFrame:
        """The rows that no rule refuses or drops."""

    @property
    @abc.abstractmethod
    def refused(self) -> pl.LazyFrame:
        """The rows that a rule refuses, with `_reasons`: a list of {rule, column, value}."""

    @property
    @abc.abstractmethod
    def dropped(self) -> pl.LazyFrame:
        """The rows that `on_failure: drop` discards and no other rule refuses."""

    @abc.abstractmethod
    def count(self, request: PassRequest) -> Counted:
        """Judge the rows in as few passes as possible. Raises one of the backend's `errors` when a rule causes one."""

    @abc.abstractmethod
    def count_marks(self) -> Marks:
        """How many rows are refused and dropped, where `count` does not know it."""

    @abc.abstractmethod
    def failing_rows(self, counted: Counted, samples: Samples) -> dict[int, Rows]:
        """The first failing rows of each rule that has some, by its index."""

    @abc.abstractmethod
    def without(self, faults: Mapping[int, BaseException]) -> Self:
        """The scan without the rules of these indexes, which raised these errors."""

    def only(self, indexes: Iterable[int]) -> Self:
        """The scan with the rules of these indexes alone, for a trial."""
        return replace(self, plan=self.plan.only(indexes))

    def on_reference(self, rules: Sequence[Rule]) -> Scan:
        """The same rows with these rules, on the backend that judges by what this one lacks."""
        if self.backend.reference is None:
            raise TypeError(f"{self.backend.name} has no backend for the rules that it lacks: connect it by `registry`")
        rows = self.rows
        hidden = frozenset(rows.collect_schema()) - set(self.plan.schema)
        return self.backend.reference.scan(rows, rules, lookup=self.lookup, hidden=hidden)


class StagingScan(Scan):
    """A scan whose rows can be written, by any number of sinks, in the pass that counts them."""

    @property
    @abc.abstractmethod
    def marked(self) -> pl.LazyFrame:
        """All rows with `PlannedRule.flag` of each rule on rows, `REFUSED` and `DROPPED`; shared by all that is taken from it."""


class StagingBackend(Backend):
    """A backend that can also write kept and refused rows: one that pipelines can run on."""

    can_stage = True

    @abc.abstractmethod
    def scan(
        self,
        frame: Any,
        rules: Sequence[Rule],
        *,
        lookup: Lookup = no_tables,
        hidden: frozenset[str] = frozenset(),
        statistics: Mapping[str, ColumnStatistics] | None = None,
        types: Mapping[str, pl.DataType] | None = None,
        misread: Mapping[str, str] | None = None,
        held: str | None = None,
    ) -> StagingScan:
        """As of any backend.

        `misread` are hidden boolean columns, by the column whose cells they are about: true where a cell could not be read
        as its type. `held` is a hidden boolean column: such rows are refused without a reason, whatever the rules say.
        """


# --- the request to a scan, and its answer ------------------------------------------------------------


@dataclass(frozen=True)
class Marks:
    """How many rows rules have taken out."""

    #: rows that go to quarantine
    refused: int
    #: rows that a rule with `on_failure: drop` discards
    dropped: int


class Measures(Protocol):
    """Small frames that a caller computes in the judge's own pass."""

    def frames(self, scan: StagingScan) -> Sequence[pl.LazyFrame]:
        """The frames; called for each pass."""
        ...

    def leave_out_faults(self, scan: StagingScan) -> bool:
        """Leave out what cannot be measured over these rows, after a pass has failed. Returns whether there was any."""
        ...


class ProgressObserver(Protocol):
    """Receives the progress of a judgement."""

    def sinks(self, scan: StagingScan) -> Sequence[pl.LazyFrame]:
        """Sinks that count rows in the pass; called for each pass."""
        ...

    def auxiliary_queries(self, rules: Sequence[Rule]) -> AbstractContextManager[None]:
        """The time in which the auxiliary queries of these rules run; there may be none."""
        ...

    def rules_judged(self, results: Sequence[RuleResult]) -> None:
        """Results that are known now, without their samples. Earlier ones may be among them."""
        ...


@dataclass(frozen=True)
class PassRequest:
    """What a caller needs of a pass in addition to the results."""

    sinks: Callable[[StagingScan], Sequence[pl.LazyFrame]]
    measures: Measures
    samples: Samples
    observer: ProgressObserver
    #: gives the frame to read when rows are needed a second time; the scan's own frame where None
    again: Callable[[], pl.LazyFrame] | None = None


@dataclass(frozen=True)
class Counted:
    """What a scan has counted."""

    #: the scan, with the answers that were found meanwhile
    scan: Scan
    #: by the index of the rule, without samples; rules that the backend lacks are left out
    results: Mapping[int, RuleResult]
    #: rows that came in
    rows: int
    #: None where they are not known yet
    marks: Marks | None = None
    #: the frames that `PassRequest.measures` asked for
    measured: Sequence[pl.DataFrame] = ()
    #: failing rows among the first ones, where the pass has met them
    first_failing: pl.DataFrame | None = field(default=None, repr=False)

    def failed_rules(self) -> list[PlannedRule]:
        """The rules on rows that some rows fail."""
        return [item for item in self.scan.plan.row_rules() if self.results[item.index].unexpected_count]


def no_sinks(_: StagingScan) -> Sequence[pl.LazyFrame]:
    """Nothing is written."""
    return ()


class _NoMeasures:
    def frames(self, scan: StagingScan) -> Sequence[pl.LazyFrame]:
        return ()

    def leave_out_faults(self, scan: StagingScan) -> bool:
        return False


class _NoObserver:
    def sinks(self, scan: StagingScan) -> Sequence[pl.LazyFrame]:
        return ()

    def auxiliary_queries(self, rules: Sequence[Rule]) -> AbstractContextManager[None]:
        return nullcontext()

    def rules_judged(self, results: Sequence[RuleResult]) -> None:
        return None


NO_MEASURES: Measures = _NoMeasures()
NO_OBSERVER: ProgressObserver = _NoObserver()
