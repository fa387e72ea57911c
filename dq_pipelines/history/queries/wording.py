"""What is said of a table's standing, in words: the same ones in a terminal and on a page.

What counts as a table's latest verdict belongs in `table_status`; how words are laid out, in `cli` and `web`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dq_pipelines.config.counting import counted, listed
from dq_pipelines.history.queries.rule_status import RuleState
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.history.store.status import WORDS

NOTHING_YET = "No table has run yet: materialize one (make run, or dagster asset materialize) and look again."

#: Partitions named in a line; the others are counted.
_NAMED = 3


def age(then: datetime, at: datetime) -> str:
    """How long ago, in one unit."""
    seconds = max((at - then).total_seconds(), 0)
    for unit, length in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "just now"


def moment(then: datetime) -> str:
    """A moment by the clock of this machine."""
    return then.astimezone().strftime("%Y-%m-%d %H:%M")


def found(rule: RuleState) -> str:
    """How many refused rows wait for the rule, what it found in the last batches, and what a re-check found."""
    waiting = counted(rule.open_rows, "refused row", "waits", "wait")
    told = [f"{waiting} in quarantine"] if rule.open_rows else []
    if any(not _is_made_of_open_rows(result) for _, result in rule.results):
        batches = _of_batches(rule)
        told.append(f"last batch: {batches}" if told and not rule.failed else batches)
    if rule.rechecks:
        [*others, (partition, _)] = rule.rechecks
        which = f" of {partition}" if partition and not others else ""
        told.append(f"re-check{which}: {_of_batches(RuleState(rule.rechecks))}")
    return "; ".join(told)


def _is_made_of_open_rows(result: ResultRecord) -> bool:
    """Whether no verdict that counts knows the rule: only rows in quarantine tell of it."""
    return not result.success and result.unexpected_count == 0 and result.element_count is None


def _of_batches(rule: RuleState) -> str:
    """Failing rows and their share, or what was observed, or why the rule could not be judged."""
    if rule.settled and not rule.failed:
        rows = sum(result.unexpected_count or 0 for _, result in rule.settled)
        return f"{counted(rows, 'row', 'was', 'were')} refused; none waits any more"
    shown = [(partition, result) for partition, result in (rule.failed or rule.results) if _is_told_apart(result)]
    if shown:
        said = [f"{partition}: {_observed(result)}" if partition else _observed(result) for partition, result in shown]
        more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
        return "; ".join(said[:_NAMED]) + more
    where = "" if rule.is_tolerated else _where(rule)
    # The rows of the partitions that are named, and no others, give the share.
    told = RuleState(rule.failed) if where else rule
    judged, unexpected = told.judged_count, told.unexpected_count or 0
    said_rows = f"{unexpected:,} of {judged:,} rows{percent(unexpected, judged)}"
    return f"{said_rows}, within mostly" if rule.is_tolerated else said_rows + where


def _is_told_apart(result: ResultRecord) -> bool:
    return result.error is not None or result.unexpected_count is None


def _observed(result: ResultRecord) -> str:
    if result.error is not None:
        return result.error
    if result.changes is not None:
        return result.changes
    if result.strayed is not None:
        return result.strayed
    value = result.observed_value
    said = f"observed {value:,.6g}" if isinstance(value, float) else f"observed {value}"
    return f"{said}, {result.remark}" if result.remark else said


def percent(part: int, whole: int) -> str:
    """A share in brackets; one that is small, but not nothing, does not read as nothing."""
    if not part or not whole:
        return ""
    share = 100 * part / whole
    return " (under 0.01 %)" if share < 0.005 else f" ({share:.2f} %)"


def _where(rule: RuleState) -> str:
    """In which partitions a rule failed, where there are several."""
    failed = [partition for partition, _ in rule.failed if partition is not None]
    if len(rule.results) < 2 or not failed:
        return ""
    if len(failed) > _NAMED:
        return f" in {len(failed)} of {len(rule.results)} partitions"
    return f" in {', '.join(failed)}"


def state(table: TableStatus) -> str:
    """What became of the rows."""
    if table.held_back:
        told = f"blocked, {counted(table.held, 'row')} held" if table.held else "blocked"
        where = [verdict.partition for verdict in table.held_back if verdict.partition]
        return f"{told} ({', '.join(where[:_NAMED])}{', …' if len(where) > _NAMED else ''})" if where else told
    if not table.verdicts:
        return "nothing was judged yet"
    return "judged as it stands" if table.as_it_stands else "published"


def last_attempt(table: TableStatus, at: datetime) -> str:
    """When the last attempt was and how it ended; "" where it is the run that judged the last batch."""
    one = table.last_attempt
    if one is None or (table.latest is not None and one.run_id == table.latest.run_id):
        return ""
    return f"last attempt {age(one.started_at, at)}: {WORDS[one.outcome]}"


def removed(tables: Sequence[TableStatus]) -> str:
    """Which tables left the YAML, with their last status; "" where none did."""
    told = [f"{one.table} ({WORDS[one.status]})" for one in tables]
    return f"No longer in the YAML: {', '.join(told)}" if told else ""


def attempt(table: TableStatus) -> str:
    """Why the last attempt came to no verdict; "" where it came to one."""
    one = table.attempt
    if one is None or one.outcome not in ("failed", "waiting"):
        return ""
    which = f" of {one.partition}" if one.partition else ""
    if one in table.released:
        return (
            f"the last attempt{which} waited for an upstream table, which no longer holds it back: the next run goes on"
        )
    said = f"the last attempt{which} {WORDS[one.outcome]}"
    return f"{said}: {one.said}" if one.said else said


def recheck(table: TableStatus) -> str:
    """What the last re-check of published rows found; "" where there was none."""
    if not table.rechecks:
        return ""
    failed = {result.check for verdict in table.rechecks for result in verdict.results if not result.success}
    where = [verdict.partition for verdict in table.rechecks if verdict.partition and not verdict.success]
    told = f"{counted(len(failed), 'rule')} failing" if failed else "every rule met"
    return f"a re-check of published rows found {told}{f' in {listed(where, _NAMED)}' if where else ''}"


def partitions(table: TableStatus) -> str:
    """Which partitions the verdicts are of; empty for a table without."""
    names = table.partitions
    if len(names) < 2:
        return "".join(names)
    return f"{len(names)} partitions, {names[0]} to {names[-1]}"


def score(table: TableStatus) -> str:
    """In percent, cut and not rounded: 100 is said only of a table in which no rule found anything."""
    return "-" if table.score is None else f"{int(table.score * 100) / 100:.2f}"


def word(status: str) -> str:
    """A status of a table or a rule, or the outcome of an attempt, in prose."""
    return WORDS[status]


def failures(table: TableStatus) -> str:
    return f"{len(table.failed)}/{len(table.rules)}"
