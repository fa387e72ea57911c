"""Skipped inputs: an input that cannot be read as a whole does not stop the others.

When work on a table fails for its source, each new input is read alone to find the one to blame. It is marked with its
reason, and the work is done again without it. It is skipped until it changes, until a run with `mode: rerun`, or until
its source has other options in the YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import TypeVar

import polars as pl

from dq_pipelines.config.counting import counted
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.errors import SetAside, SourceError, Transient
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.lake.skipped_inputs import SkippedInput, read_skipped_inputs, write_skipped_inputs
from dq_pipelines.pipeline.bronze.batch import Batch, batch_of
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.pipeline.bronze.new_inputs import listed, new_inputs, retry_key, stands, taken
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.sources import Input
from dq_pipelines.sources.failures import broken

#: The check that every bronze table has without being asked.
INPUTS_READABLE = "inputs_readable"

#: Reasons in one line; the check's table has all.
_MOST_NAMED = 3

Done = TypeVar("Done")


def past_bad_inputs(do: Callable[[TableRun], Done | None]) -> Callable[[TableRun], Done | None]:
    """Decorates what reads new inputs: it skips those that cannot be read and goes on with the others.

    Raises SetAside when `do` then gives None: a run that could read none of the new inputs is no success.
    """

    @wraps(do)
    def doing(work: TableRun) -> Done | None:
        bad: list[SkippedInput] = []
        while True:
            try:
                done = do(work)
                break
            except Transient:
                raise
            except SourceError:
                unreadable = _to_blame(work)
                if not unreadable:
                    raise
                bad += _set_aside(work, unreadable)
        _clear(work)
        if done is None and bad:
            raise SetAside(_sentence(bad))
        return done

    return doing


def try_again(work: TableRun) -> None:
    """Skip no input of the table, or of the run's partition, any more."""
    marks = read_skipped_inputs(work.lake, work.table.name)
    if marks:
        again = {item.uri for item in listed(work.table, work.partition)}
        write_skipped_inputs(work.lake, work.table.name, [mark for mark in marks.values() if mark.uri not in again])


def standing_aside(work: TableRun) -> list[SkippedInput]:
    """The skipped inputs of the table, by address."""
    return sorted(read_skipped_inputs(work.lake, work.table.name).values(), key=lambda mark: mark.uri)


def as_result(marks: Sequence[SkippedInput]) -> ResultRecord:
    """The result of the check on skipped inputs, for the history."""
    return ResultRecord.on_inputs(INPUTS_READABLE, [mark.uri for mark in marks], why_skipped(marks))


def _to_blame(work: TableRun) -> list[SkippedInput]:
    """The new inputs that cannot be read alone, with their reasons.

    Each is opened first. Only where all can be opened, each is read to its end.
    """
    inputs = taken(work.table, new_inputs(work.table, work.lake, work.partition))
    return list(_unreadable(work, inputs, _opened)) or list(_unreadable(work, inputs, _read))


def _unreadable(
    work: TableRun, inputs: Sequence[Input], read: Callable[[TableRun, Input], object]
) -> Iterator[SkippedInput]:
    for item in inputs:
        work.may_commit()  # there may be many, and each may be large
        try:
            read(work, item)
        except Transient:
            raise
        except SourceError as error:
            source = work.table.landed.source
            source.must_be_unchanged(item)  # else it is being written: that will pass
            yield SkippedInput(item.uri, retry_key(item, source), str(error), work.now, item.version.changed)


def _opened(work: TableRun, item: Input) -> Batch:
    return batch_of(work.table, [item], work.now)


def _read(work: TableRun, item: Input) -> None:
    batch = _opened(work, item)
    with broken(item.uri, "to read it to its end"):
        _, count = collect_all([batch.rows.select(pl.all().null_count()), batch.rows.select(pl.len())])
    batch.must_be_complete(count.item())


def _set_aside(work: TableRun, unreadable: Sequence[SkippedInput]) -> Sequence[SkippedInput]:
    work.may_commit()
    marks = read_skipped_inputs(work.lake, work.table.name) | {mark.uri: mark for mark in unreadable}
    write_skipped_inputs(work.lake, work.table.name, marks.values())
    for mark in unreadable:
        work.log(f"{bronze(work.table, work.lake).key}: set aside until it changes: {mark.reason}")
    return unreadable


def _clear(work: TableRun) -> None:
    """Remove the marks of inputs that are gone, have changed or were read after all."""
    marks = read_skipped_inputs(work.lake, work.table.name)
    if not marks:
        return
    source = work.table.landed.source
    marked = [item for item in new_inputs(work.table, work.lake, aside_too=True) if item.uri in marks]
    still = [marks[item.uri] for item in marked if stands(marks[item.uri], item, source)]
    if len(still) < len(marks):
        write_skipped_inputs(work.lake, work.table.name, still)


def why_skipped(marks: Sequence[SkippedInput]) -> str:
    """How many inputs are skipped, and why the first ones are; empty where none is."""
    if not marks:
        return ""
    count = counted(len(marks), "input", "stands aside until it changes", "stand aside")
    more = f"; and {len(marks) - _MOST_NAMED} more" if len(marks) > _MOST_NAMED else ""
    return f"{count}: {'; '.join(mark.reason for mark in marks[:_MOST_NAMED])}{more}"


def _sentence(bad: Sequence[SkippedInput]) -> str:
    more = f" (and {len(bad) - 1} more, see the check {INPUTS_READABLE})" if len(bad) > 1 else ""
    return f"{bad[0].reason}; the input stands aside until it changes{more}"
