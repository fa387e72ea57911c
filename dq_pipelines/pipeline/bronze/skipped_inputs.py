"""Setting aside: an input that cannot be read as a whole does not stop its neighbours.

When work on a table fails for its source, each new input is read alone to find the one that is to blame. It is marked
with its reason, and the work is done anew without it. It stands aside until it changes, until somebody asks for
`mode: rerun`, or until the YAML says something else of how it is read. How marks are kept belongs in `lake.skipped_inputs`.
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
from dq_pipelines.lake.skipped_inputs import Aside, asides, write_asides
from dq_pipelines.pipeline.bronze.batch import Batch, batch_of
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.pipeline.bronze.new_inputs import listed, new_inputs, retry_key, stands, taken
from dq_pipelines.pipeline.runtime.table_run import Work
from dq_pipelines.sources import Input
from dq_pipelines.sources.failures import broken

#: The check that every bronze table has without being asked.
INPUTS_READABLE = "inputs_readable"

#: Reasons in one line; the check's table has all.
_TOLD = 3

Done = TypeVar("Done")


def past_bad_inputs(do: Callable[[Work], Done | None]) -> Callable[[Work], Done | None]:
    """What reads new inputs, made to set aside those that cannot be read and to go on with the others.

    Raises SetAside when nothing else was there to be done (`do` gives None): a run that could read none of what
    had arrived is no success.
    """

    @wraps(do)
    def doing(work: Work) -> Done | None:
        bad: list[Aside] = []
        while True:
            try:
                done = do(work)
                break
            except Transient:
                raise
            except SourceError:
                found = _to_blame(work)
                if not found:
                    raise
                bad += _set_aside(work, found)
        _clear(work)
        if done is None and bad:
            raise SetAside(_sentence(bad))
        return done

    return doing


def try_again(work: Work) -> None:
    """Let nothing stand aside any more, of the partition at hand or of the whole table."""
    marks = asides(work.lake, work.table.name)
    if marks:
        again = {item.uri for item in listed(work.table, work.partition)}
        write_asides(work.lake, work.table.name, [mark for mark in marks.values() if mark.uri not in again])


def standing_aside(work: Work) -> list[Aside]:
    """What stands aside of the table now, by address."""
    return sorted(asides(work.lake, work.table.name).values(), key=lambda mark: mark.uri)


def as_result(marks: Sequence[Aside]) -> ResultRecord:
    """The marks as history remembers them beside the results of rules."""
    return ResultRecord.on_inputs(INPUTS_READABLE, [mark.uri for mark in marks], told(marks))


def _to_blame(work: Work) -> list[Aside]:
    """The new inputs that cannot be read even alone, with their reasons.

    A look at each comes first: only where all can be opened is every one of them read to its end.
    """
    inputs = taken(work.table, new_inputs(work.table, work.lake, work.partition))
    return list(_unreadable(work, inputs, _opened)) or list(_unreadable(work, inputs, _read))


def _unreadable(work: Work, inputs: Sequence[Input], look: Callable[[Work, Input], object]) -> Iterator[Aside]:
    for item in inputs:
        work.may_commit()  # there may be many, and each may be large
        try:
            look(work, item)
        except Transient:
            raise
        except SourceError as error:
            source = work.table.landed.source
            source.must_be_unchanged(item)  # else it is being written: that will pass
            yield Aside(item.uri, retry_key(item, source), str(error), work.now, item.version.changed)


def _opened(work: Work, item: Input) -> Batch:
    return batch_of(work.table, [item], work.now)


def _read(work: Work, item: Input) -> None:
    batch = _opened(work, item)
    with broken(item.uri, "to read it to its end"):
        _, count = collect_all([batch.rows.select(pl.all().null_count()), batch.rows.select(pl.len())])
    batch.must_be_complete(count.item())


def _set_aside(work: Work, found: Sequence[Aside]) -> Sequence[Aside]:
    work.may_commit()
    marks = asides(work.lake, work.table.name) | {mark.uri: mark for mark in found}
    write_asides(work.lake, work.table.name, marks.values())
    for mark in found:
        work.log(f"{bronze(work.table, work.lake).key}: set aside until it changes: {mark.reason}")
    return found


def _clear(work: Work) -> None:
    """Forget the marks of what is gone, has changed or was read after all."""
    marks = asides(work.lake, work.table.name)
    if not marks:
        return
    source = work.table.landed.source
    there = [item for item in new_inputs(work.table, work.lake, aside_too=True) if item.uri in marks]
    still = [marks[item.uri] for item in there if stands(marks[item.uri], item, source)]
    if len(still) < len(marks):
        write_asides(work.lake, work.table.name, still)


def told(marks: Sequence[Aside]) -> str:
    """How many stand aside, and why the first ones do; empty where none does."""
    if not marks:
        return ""
    count = counted(len(marks), "input", "stands aside until it changes", "stand aside")
    more = f"; and {len(marks) - _TOLD} more" if len(marks) > _TOLD else ""
    return f"{count}: {'; '.join(mark.reason for mark in marks[:_TOLD])}{more}"


def _sentence(bad: Sequence[Aside]) -> str:
    more = f" (and {len(bad) - 1} more, see the check {INPUTS_READABLE})" if len(bad) > 1 else ""
    return f"{bad[0].reason}; the input stands aside until it changes{more}"
