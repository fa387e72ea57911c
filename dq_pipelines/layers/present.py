"""Where tables stand just now: their latest verdicts, and what has changed since without a verdict.

Which verdicts count belongs in `history.standing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dq_pipelines.history.records import ResultRecord
from dq_pipelines.history.standing import TableStanding
from dq_pipelines.lake.aside import asides, tables_with_asides
from dq_pipelines.lake.tables import Lake
from dq_pipelines.layers.aside import INPUTS_READABLE, as_result


def asides_now(lake: Lake) -> dict[str, ResultRecord]:
    """By silver table, which inputs stand aside: it changes between verdicts. Raises PublishError when the lake fails."""
    return {f"silver/{name}": as_result(list(asides(lake, name).values())) for name in tables_with_asides(lake)}


def as_of_now(table: TableStanding, aside: Mapping[str, ResultRecord]) -> TableStanding:
    """The standing with the inputs that stand aside now, instead of those that did when it was judged."""
    now = (aside[table.table],) if table.table in aside else ()
    verdicts = [
        replace(verdict, results=tuple(r for r in verdict.results if r.check != INPUTS_READABLE))
        for verdict in table.verdicts
    ]
    verdicts[-1] = replace(verdicts[-1], results=(*verdicts[-1].results, *now))
    return replace(table, verdicts=tuple(verdicts))
