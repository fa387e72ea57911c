"""What a YAML would publish and refuse of an uploaded file, or of the newest landed one: the batch is planned, staged and judged as in a run, and not committed.

It runs in the process of `worker`. Everything is staged in a scratch lake; other tables are only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.engine.json_values import strictly_plain
from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.errors import ConfigError, Problem, SourceError
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines.pipeline.quarantine.refused_rows import cells_in
from dq_pipelines.pipeline.runtime.outcome import ROWS_ACCOUNTED_FOR
from dq_pipelines.pipeline.runtime.table_run import TableRun, staged, with_table_lock
from dq_pipelines.pipeline.silver.batch_plan import plan_batch
from dq_pipelines.pipeline.silver.judged_batch import BatchStages, JudgedBatch, stage_and_judge
from dq_pipelines.project import Table, load_sound_tables
from dq_pipelines.project.authors import Author, Authorship
from dq_pipelines.project.draft import Change
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.sources.files import FileSource
from dq_pipelines.uploads.file_names import kind_of_name

#: Rows and columns that are shown, and characters of a cell.
_ROWS, _COLUMNS, _LONGEST = 20, 40, 200


@dataclass(frozen=True)
class ScratchLake(Lake):
    """A lake of one table, whose rules may look into the tables of the project's lake."""

    #: the table that is tried
    own: str = ""
    #: the project's lake, which is not written
    project: Lake | None = None

    def table(self, key: str) -> LakeTable:
        is_other = self.project is not None and key.partition("/")[2] != self.own
        return self.project.table(key) if self.project is not None and is_other else super().table(key)


def judge_upload(*, path: str, name: str, **asked: Any) -> dict[str, Any]:
    """Judge the file at `path`, called `name`, as `_asked` says. Raises ConfigError for a text that could not be saved, and as a run would."""
    table, run = _asked(**asked)
    made, notes = _on_this_file(table, path, name)
    answer = _judged(replace(run, table=made))
    return _without_path(answer, path, name) | {"notes": notes}


def judge_newest(*, most: int, path: str, name: str, **asked: Any) -> dict[str, Any]:
    """Judge the file that the table's source would read and that was written last, of `most` bytes at most.

    Raises as `judge_upload` does, and SourceError where there is no such file. `path` and `name` name the place of files in errors.
    """
    table, run = _asked(**asked)
    if table.is_gold or not isinstance(source := table.landed.source, FileSource):
        raise ConfigError([Problem("", 0, "source: wanted one that reads files, of which the newest is tried")])
    newest = max(source.inputs(), key=lambda item: (item.version.number, item.uri), default=None)
    if newest is None:
        raise SourceError(f"{table.name}: wanted a landed file to try the text on, got none")
    file = newest.uri.rpartition("/")[2]
    if newest.size > most:
        raise SourceError(
            f"{file}: wanted a file of at most {most:,} bytes for a trial, got {newest.size:,}: run it instead"
        )
    # As a run, it reads the file within the places that its author may read.
    made = _alone(table, source.model_copy(update={"path": newest.uri}))
    answer = _judged(replace(run, table=made))
    notes = ["Tried as if nothing were published yet: keys and rows of earlier batches do not count.", *_notes(table)]
    return _without_path(_without_path(answer, newest.uri, file), path, name) | {"notes": notes, "file": file}


def _asked(
    *,
    domain: str,
    table: str,
    text: str,
    authorship: Mapping[str, Any],
    config: str,
    lake: str,
    scratch: str,
) -> tuple[Table, TableRun]:
    """`table` of `domain` with the YAML `text` by this author, and its work in a scratch lake."""
    content = Path(scratch) / "table.yaml"
    content.write_text(text, encoding="utf-8")
    signed = Authorship(
        Author(**{**authorship["author"], "scopes": tuple(authorship["author"]["scopes"])}), authorship["base"]
    )
    project = load_sound_tables(config, change=Change(Path(domain) / f"{table}.yaml", content, signed), only=[table])
    if table not in project.tables:
        raise ConfigError([problem for one in project.left_out if one.name == table for problem in one.problems])
    made = project.tables[table]
    return made, TableRun(made, ScratchLake(str(Path(scratch) / "lake"), table, Lake.at(lake)))


def _on_this_file(table: Table, path: str, name: str) -> tuple[Table, list[str]]:
    """The table with this file as its only input, and what is tried otherwise than it would run."""
    if table.is_gold:
        raise ConfigError(
            [Problem("", 0, "gold: wanted a table with a source, which reads the file, got one that is computed")]
        )
    model, kind = table.landed, kind_of_name(name)
    source = model.source
    if not isinstance(source, FileSource) or getattr(source, "type", "") != kind.source:
        got = getattr(source, "type", "another")
        raise ConfigError([Problem("", 0, f"source.type: wanted {kind.source}, which {name} is, got {got}")])
    own = source.model_copy(update={"path": path}).confined_to(())
    return _alone(table, own), _notes(table)


def _alone(table: Table, source: FileSource) -> Table:
    """The table with this source, as one batch that is tried once."""
    return replace(table, model=table.landed.model_copy(update={"source": source, "partitions": None, "retries": None}))


def _notes(table: Table) -> list[str]:
    """What is tried otherwise than it would run."""
    return ["Tried as one batch without partitions."] if table.landed.partitions is not None else []


@with_table_lock
def _judged(run: TableRun) -> dict[str, Any]:
    plan = plan_batch(run)
    if plan is None:
        raise SourceError(f"{run.table.name}: wanted rows to judge, got none")
    stages = BatchStages.of(plan)
    with staged(*stages, claim=run.claim):
        return _answer(stage_and_judge(plan, stages), run.table)


def _answer(judged: JudgedBatch, table: Table) -> dict[str, Any]:
    outcome, counts = judged.outcome, judged.outcome.counts
    results = outcome.record("", table.rules).results
    blocked = bool(outcome.blocked_by)
    refused = judged.stages.refused.scan()
    return {
        "rows_in": counts.rows_in,
        "published": 0 if blocked else counts.published,
        "refused": counts.refused,
        "dropped": counts.dropped,
        "unreadable": counts.unreadable,
        "blocked": _blocked(outcome.blocked_by) if blocked else None,
        "casts": dict(outcome.miscast),
        "reasons": _reasons(refused),
        "rules": [_rule(one) for one in results if one.check != ROWS_ACCOUNTED_FOR or not one.success],
        "refused_rows": _refused(refused),
        "columns": {name: str(dtype) for name, dtype in list(outcome.schema.items())[:_COLUMNS]},
        "published_rows": [] if blocked else _rows(outcome.preview),
    }


def _blocked(results: Sequence[Any]) -> str:
    rules = ", ".join(
        f"{one.rule.type}{f' of {one.rule.column_label}' if one.rule.column_label else ''}" for one in results
    )
    return f"Nothing would be published: the batch is blocked by {rules}."


def _rule(result: ResultRecord) -> dict[str, Any]:
    return {
        "check": result.check,
        "rule": result.rule,
        "column": result.column,
        "severity": result.severity,
        "success": result.success,
        "action": result.action,
        "judged": result.element_count,
        "failing": result.unexpected_count,
        "observed": None if result.observed_value is None else _cell(result.observed_value),
        "error": result.error,
    }


def _reasons(refused: pl.LazyFrame) -> list[dict[str, Any]]:
    """Each rule and column that refused rows, with how many."""
    reasons = refused.select(pl.col(REASONS).explode().struct.unnest())
    counts = reasons.group_by("rule", "column").agg(pl.len().alias("rows")).sort("rows", descending=True).collect()
    return counts.head(100).to_dicts()


def _refused(refused: pl.LazyFrame) -> list[dict[str, Any]]:
    """The first refused rows, with their cells as text and the reasons."""
    cells = cells_in(refused.collect_schema().names())[:_COLUMNS]
    frame = (
        refused.sort(SOURCE, ROW).head(_ROWS).select(ROW, REASONS, *(pl.col(exact(name)) for name in cells)).collect()
    )
    return [
        {
            "row": row[ROW],
            "cells": {name: _cell(row[name]) for name in cells},
            "reasons": [
                {key: _cell(value) if key == "value" else value for key, value in reason.items()}
                for reason in row[REASONS]
            ],
        }
        for row in frame.iter_rows(named=True)
    ]


def _rows(frame: pl.DataFrame) -> list[list[str | None]]:
    return [[_cell(cell) for cell in row[:_COLUMNS]] for row in frame.rows()]


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else str(strictly_plain(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _without_path(answer: dict[str, Any], path: str, name: str) -> dict[str, Any]:
    """The answer with the file's name where its staged path stands: in observed values and errors."""
    for rule in answer["rules"]:
        for key in ("observed", "error"):
            rule[key] = rule[key] and str(rule[key]).replace(path, name)
    return answer
