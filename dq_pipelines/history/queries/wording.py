"""Words a table's status for the terminal and for pages, so that both use the same phrases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dq_pipelines.config.counting import counted, listed
from dq_pipelines.history.queries.rule_status import RuleState
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.history.store.status import WORDS

NOTHING_YET = "No table has run yet: materialize one (make run, or dagster asset materialize) and look again."

#: Partitions listed by name; the others are counted.
_NAMED = 3


def age(then: datetime, at: datetime) -> str:
    """Formats how long ago a moment was, in one unit."""
    seconds = max((at - then).total_seconds(), 0)
    for unit, length in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "just now"


def moment(then: datetime) -> str:
    """Formats a moment in this machine's time zone."""
    return then.astimezone().strftime("%Y-%m-%d %H:%M")


def rule_findings(rule: RuleState) -> str:
    """Says how many refused rows are open, and what the last batches and re-checks found."""
    waiting = counted(rule.open_rows, "refused row", "waits", "wait")
    parts = [f"{waiting} in quarantine"] if rule.open_rows else []
    if any(not _is_made_of_open_rows(result) for _, result in rule.results):
        batches = _of_batches(rule)
        parts.append(f"last batch: {batches}" if parts and not rule.failed else batches)
    if rule.rechecks:
        [*others, (partition, _)] = rule.rechecks
        which = f" of {partition}" if partition and not others else ""
        parts.append(f"re-check{which}: {_of_batches(RuleState(rule.rechecks))}")
    return "; ".join(parts)


def _is_made_of_open_rows(result: ResultRecord) -> bool:
    """Whether the result stands for open rows of a rule that no current verdict has."""
    return not result.success and result.unexpected_count == 0 and result.element_count is None


def _of_batches(rule: RuleState) -> str:
    """Says failing rows and their share, or the observed value, or why the rule could not be judged."""
    if rule.settled and not rule.failed:
        rows = sum(result.unexpected_count or 0 for _, result in rule.settled)
        return f"{counted(rows, 'row', 'was', 'were')} refused; none waits any more"
    shown = [(partition, result) for partition, result in (rule.failed or rule.results) if not _has_counts(result)]
    if shown:
        lines = [f"{partition}: {_observed(result)}" if partition else _observed(result) for partition, result in shown]
        more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
        return "; ".join(lines[:_NAMED]) + more
    where = "" if rule.is_tolerated else _where(rule)
    # The share is of the rows of the named partitions only.
    state = RuleState(rule.failed) if where else rule
    judged, unexpected = state.judged_count, state.unexpected_count or 0
    counts = f"{unexpected:,} of {judged:,} rows{percent(unexpected, judged)}"
    return f"{counts}, within mostly" if rule.is_tolerated else counts + where


def _has_counts(result: ResultRecord) -> bool:
    return result.error is None and result.unexpected_count is not None


def _observed(result: ResultRecord) -> str:
    if result.error is not None:
        return result.error
    if result.changes is not None:
        return result.changes
    if result.anomaly_sentence is not None:
        return result.anomaly_sentence
    value = result.observed_value
    observed = f"observed {value:,.6g}" if isinstance(value, float) else f"observed {value}"
    return f"{observed}, {result.remark}" if result.remark else observed


def percent(part: int, whole: int) -> str:
    """Formats a share in brackets; a small share other than 0 is not shown as 0.00 %."""
    if not part or not whole:
        return ""
    share = 100 * part / whole
    return " (under 0.01 %)" if share < 0.005 else f" ({share:.2f} %)"


def _where(rule: RuleState) -> str:
    """Says in which of several partitions a rule failed."""
    failed = [partition for partition, _ in rule.failed if partition is not None]
    if len(rule.results) < 2 or not failed:
        return ""
    if len(failed) > _NAMED:
        return f" in {len(failed)} of {len(rule.results)} partitions"
    return f" in {', '.join(failed)}"


def state(table: TableStatus) -> str:
    """Says whether the rows were published or blocked."""
    if table.held_back:
        blocked = f"blocked, {counted(table.held, 'row')} held" if table.held else "blocked"
        where = [verdict.partition for verdict in table.held_back if verdict.partition]
        return f"{blocked} ({', '.join(where[:_NAMED])}{', …' if len(where) > _NAMED else ''})" if where else blocked
    if not table.verdicts:
        return "nothing was judged yet"
    return "judged as it stands" if table.as_it_stands else "published"


def last_attempt(table: TableStatus, at: datetime) -> str:
    """Says when the last attempt was and how it ended; "" where it is the run that judged the last batch."""
    last = table.last_attempt
    if last is None or (table.latest is not None and last.run_id == table.latest.run_id):
        return ""
    return f"last attempt {age(last.started_at, at)}: {WORDS[last.outcome]}"


def removed(tables: Sequence[TableStatus]) -> str:
    """Lists tables that are no longer in the YAML, with their last status; "" without any."""
    names = [f"{table.table} ({WORDS[table.status]})" for table in tables]
    return f"No longer in the YAML: {', '.join(names)}" if names else ""


def attempt(table: TableStatus) -> str:
    """Says why the last attempt has no verdict; "" where it has one."""
    last = table.attempt
    if last is None or last.outcome not in ("failed", "waiting"):
        return ""
    which = f" of {last.partition}" if last.partition else ""
    if last in table.released:
        return (
            f"the last attempt{which} waited for an upstream table, which no longer holds it back: the next run goes on"
        )
    outcome = f"the last attempt{which} {WORDS[last.outcome]}"
    return f"{outcome}: {last.said}" if last.said else outcome


def recheck(table: TableStatus) -> str:
    """Says what the last re-check of published rows found; "" where there was none."""
    if not table.rechecks:
        return ""
    failed = {result.check for verdict in table.rechecks for result in verdict.results if not result.success}
    where = [verdict.partition for verdict in table.rechecks if verdict.partition and not verdict.success]
    result = f"{counted(len(failed), 'rule')} failing" if failed else "every rule met"
    return f"a re-check of published rows found {result}{f' in {listed(where, _NAMED)}' if where else ''}"


def partitions(table: TableStatus) -> str:
    """Says which partitions the verdicts are of; "" for a table without partitions."""
    names = table.partitions
    if len(names) < 2:
        return "".join(names)
    return f"{len(names)} partitions, {names[0]} to {names[-1]}"


def score(table: TableStatus) -> str:
    """Formats the score in percent, truncated and not rounded: only a table without any failing row shows 100."""
    return "-" if table.score is None else f"{int(table.score * 100) / 100:.2f}"


def word(status: str) -> str:
    """Words a status of a table or rule, or an attempt's outcome, as prose."""
    return WORDS[status]


def failures(table: TableStatus) -> str:
    """Formats failed rules of all rules."""
    return f"{len(table.failed)}/{len(table.rules)}"
