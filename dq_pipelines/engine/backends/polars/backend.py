"""Polars as a backend: the streaming engine, and the reference by whose results other backends are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dq_pipelines.engine.backends.base import Lookup, StagingBackend, no_tables
from dq_pipelines.engine.backends.frames import frame_from
from dq_pipelines.engine.backends.polars.plan_validation import validated_plan
from dq_pipelines.engine.backends.polars.scan import PolarsScan
from dq_pipelines.engine.faults import FAULTS
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.column_statistics import ColumnStatistics
from dq_pipelines.rules.core.dialect import POLARS


class Polars(StagingBackend):
    """The default engine: a table's rules as one lazy plan on the Polars streaming engine."""

    name = "polars"
    has_row_order = True
    dialect = POLARS

    @classmethod
    def owns(cls, data: Any) -> bool:
        return isinstance(data, pl.DataFrame | pl.LazyFrame)

    def open(self, data: Any) -> pl.LazyFrame:
        return frame_from(data)

    def rows(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        return frame

    def scan(
        self,
        frame: pl.LazyFrame,
        rules: Sequence[Rule],
        *,
        lookup: Lookup = no_tables,
        hidden: frozenset[str] = frozenset(),
        statistics: Mapping[str, ColumnStatistics] | None = None,
        types: Mapping[str, pl.DataType] | None = None,
        misread: Mapping[str, str] | None = None,
        held: str | None = None,
    ) -> PolarsScan:
        plan = validated_plan(frame, rules, lookup, hidden, statistics or {}, misread or {})
        return PolarsScan(self, frame, plan, lookup, hidden, held)

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        return FAULTS


BACKEND = Polars
