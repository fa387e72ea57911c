"""`dq report`: prints the status and the latest verdict of every table, as text, JSON or a page."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dq_pipelines.cli.web_process import web
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem, PublishError, nearest

if TYPE_CHECKING:
    from dq_pipelines.history.queries.table_status import TableStatus
    from dq_pipelines.history.store.attempts import Attempt
    from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
    from dq_pipelines.history.store.status import Status
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.project import Project

app = typer.Typer()


@app.command()
def report(
    tables: Annotated[
        list[str] | None,
        typer.Option("--table", help="Only this table, as flights or silver/flights; may be given several times."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of the latest rule results.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report to FILE as one page.")
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit 1 when a table's status is failing, blocked or error, refused rows of a critical rule are open, or the history is lost.",
        ),
    ] = False,
) -> None:
    """Show the status and the latest verdict of every table; for a partitioned table, those of all its partitions together."""
    from dq_pipelines.cli import report_rendering
    from dq_pipelines.orchestration.checks.left_out_tables import with_left_out
    from dq_pipelines.pipeline.current_status import table_statuses_now
    from dq_pipelines.pipeline.runtime.dead_attempts import record_dead_attempts
    from dq_pipelines.pipeline.runtime.stores import Stores

    stores, set_aside = Stores.from_environment(), _set_aside()
    record_dead_attempts(stores)
    project = _project()
    left_out = project.left_out if project is not None else ()
    every = with_left_out(table_statuses_now(stores, set_aside), left_out)
    known = [table.key for table in project or ()]
    in_yaml = {*known, *(table.key for table in left_out)}
    gone = [each for each in every if project is not None and each.table not in in_yaml and not tables]
    shown = _chosen(every, tables, known) if tables else [each for each in every if each not in gone]
    unjudged = sorted(key for key in known if key not in {each.table for each in every} and _is_selected(key, tables))
    lost = _lost_history(stores, known, every)
    standalone = _standalone_results(stores, project, shown)
    never_run = [f"{key} ({set_aside[key].error})" if key in set_aside else key for key in unjudged]
    if html is not None:
        _write(html, [*(each.table for each in shown), *unjudged] if tables else [])
    if as_json:
        without = [*unjudged, *(each.table for each in shown if not each.verdicts)]
        unread = [_result(_no_verdict(key), set_aside[key], "never_run") for key in without if key in set_aside]
        print(json.dumps([*_results(shown, standalone), *unread], indent=1, ensure_ascii=False))
    if lost:
        print(lost, file=sys.stderr if as_json or html is not None else sys.stdout)
    elif html is None and not as_json:
        report_rendering.print_report(shown, never_run, gone, standalone, _titles(project, shown))
    if strict and (lost or any(each.is_alarming for each in shown)):
        raise typer.Exit(1)


def _project() -> Project | None:
    """The project, whose tables are reported even without a verdict; None if it cannot be loaded."""
    from dq_pipelines.project import load_sound_tables

    try:
        return load_sound_tables(Settings.from_environment().config)
    except ConfigError as error:
        # A report is about the past: a mistake in the files now must not hide it.
        more = f" (and {len(error.problems) - 1} more, see dq check)" if len(error.problems) > 1 else ""
        print(f"tables without a verdict are not listed: {error.problems[0]}{more}", file=sys.stderr)
        return None


def _titles(project: Project | None, shown: Sequence[TableStatus]) -> dict[str, dict[str, str]]:
    """The titles of the checks of each table."""
    from dq_pipelines.project.check_titles import check_titles

    return {each.table: check_titles(project.by_key(each.table) if project is not None else None) for each in shown}


def _standalone_results(
    stores: Stores, project: Project | None, shown: Sequence[TableStatus]
) -> Mapping[str, Sequence[ResultRecord]]:
    """By table, the results of checks that run outside of batches; only of tables that have run."""
    from dq_pipelines.pipeline.standalone_checks import standalone_results

    results = {}
    for each in shown:
        table = project.by_key(each.table) if project is not None else None
        if table is not None:
            try:
                results[each.table] = [one for one in standalone_results(stores, table) if not _is_reported(one, each)]
            except PublishError as error:
                print(f"inputs that no run reads are not listed: {error}", file=sys.stderr)
    return results


def _is_reported(result: ResultRecord, of: TableStatus) -> bool:
    """Whether a failed attempt has the same message, for instance that the source is missing."""
    messages = [attempt.said for attempt in of.attempts if attempt.is_failure and attempt.said]
    return result.error is not None and any(message in result.error for message in messages)


def _lost_history(stores: Stores, tables: Sequence[str], every: Sequence[TableStatus]) -> str:
    from dq_pipelines.pipeline.current_status import lost_history

    try:
        return lost_history(stores.lake, tables, every)
    except PublishError as error:
        print(f"cannot check whether the history is lost: {error}", file=sys.stderr)
        return ""


def _set_aside() -> dict[str, ResultRecord]:
    """By silver table, the result about inputs that are set aside now."""
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.pipeline.current_status import skipped_inputs_now

    try:
        return skipped_inputs_now(Lake.at(Settings.from_environment().lake))
    except PublishError as error:
        print(f"inputs that are set aside are not listed: {error}", file=sys.stderr)
        return {}


def _no_verdict(key: str) -> VerdictRecord:
    from dq_pipelines.history.store.records import VerdictRecord
    from dq_pipelines.rules.core.clock import now

    return VerdictRecord(key, "", "", now(), 0, rows_in=0, published=0, refused=0, dropped=0, blocked=False)


def _is_selected(key: str, wanted: Sequence[str] | None) -> bool:
    return not wanted or key in wanted or key.partition("/")[2] in wanted


def _chosen(every: Sequence[TableStatus], wanted: Sequence[str], known: Sequence[str]) -> list[TableStatus]:
    """The tables of these names. Raises ConfigError for a name that is neither in the history nor in the project."""
    keys = sorted({*known, *(each.table for each in every)})
    problems = []
    for name in wanted:
        if keys and not any(_is_selected(key, [name]) for key in keys):
            near = nearest(name, keys) or nearest(name, [key.partition("/")[2] for key in keys])
            problems.append(Problem("", 0, f"dq report --table: unknown table '{name}'{near}"))
    if problems:
        raise ConfigError(problems)
    return [each for each in every if _is_selected(each.table, wanted)]


def _results(
    shown: Sequence[TableStatus], standalone: Mapping[str, Sequence[ResultRecord]]
) -> Iterator[dict[str, Any]]:
    """The results of current verdicts, of re-checks, of attempts without a verdict, and of standalone checks."""
    for each in shown:
        for verdict in (*each.verdicts, *each.rechecks):
            for result in verdict.results:
                rule = each.rule(result.check)
                yield _result(verdict, result, each.status, rule.open_rows if rule and rule.open is not None else None)
        for attempt in each.attempts:
            if attempt.outcome in ("failed", "waiting") and attempt not in each.released:
                yield _result(*_of_attempt(attempt), each.status)
        for one in standalone.get(each.table, ()):
            yield _result(_no_verdict(each.table), one, each.status)


def _of_attempt(attempt: Attempt) -> tuple[VerdictRecord, ResultRecord]:
    """An attempt without a verdict, as a result of the rule `attempt`."""
    from dq_pipelines.history.store.records import ResultRecord

    failed = ResultRecord("attempt", "attempt", None, "critical", success=False, blocks=True, error=attempt.said)
    verdict = replace(_no_verdict(attempt.table), run_id=attempt.run_id, partition=attempt.partition)
    return replace(verdict, started_at=attempt.started_at, batch=attempt.batch), failed


def _result(verdict: VerdictRecord, result: ResultRecord, status: Status, waiting: int | None = None) -> dict[str, Any]:
    judged = (result.element_count or 0) - (result.missing_count or 0)
    unexpected = result.unexpected_count
    return {
        "table": verdict.table,
        "partition": verdict.partition,
        "rule": result.rule,
        "column": result.column,
        "check": result.check,
        "severity": result.severity,
        "success": result.success,
        "blocks": result.blocks,
        "element_count": result.element_count,
        "missing_count": result.missing_count,
        "unexpected_count": unexpected,
        "unexpected_percent": None if unexpected is None or not judged else 100 * unexpected / judged,
        "observed_value": _json(result.observed_value),
        "remark": result.remark,
        "error": result.error,
        "batch": verdict.batch,
        "run_id": verdict.run_id,
        "judged_at": verdict.started_at.isoformat(),
        "recheck": verdict.is_recheck and bool(verdict.run_id) and result.rule != "attempt",
        "open_count": waiting,
        "table_status": status,
    }


def _json(value: Any) -> Any:
    """The value for JSON, which has no infinity and no NaN: these become text."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, tables: Sequence[str]) -> None:
    """Write the page, by `web` in a process of its own."""
    web("page", str(path), *(f"--table={table}" for table in tables))
