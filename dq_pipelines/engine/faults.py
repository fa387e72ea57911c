"""Fault isolation: which parts of a failed pass fail alone. A pass that succeeds pays nothing for this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from polars.exceptions import PanicException, PolarsError

from dq_pipelines.config.stores import error_text
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.base import Rule

#: What a rule may raise over some rows: a function of a user raises anything, and a panic of Polars is no Exception.
FAULTS: tuple[type[BaseException], ...] = (Exception, PanicException)

Part = TypeVar("Part", int, str)


def at_fault(
    parts: Sequence[Part],
    attempt: Callable[[Sequence[Part]], object],
    errors: tuple[type[BaseException], ...] = FAULTS,
    *,
    together: bool = False,
) -> dict[Part, BaseException]:
    """The parts that fail when they are tried alone, with the error; found by halves.

    `attempt` tries some parts together, and raises one of `errors` when one of them fails. When it raises without any part,
    the rows themselves cannot be read, and no part is at fault. `together`: parts that fail only together are all at fault.
    """
    try:
        attempt(())
    except errors:
        return {}
    return _failing(parts, attempt, errors, together=together)


def _failing(
    parts: Sequence[Part],
    attempt: Callable[[Sequence[Part]], object],
    errors: tuple[type[BaseException], ...],
    *,
    together: bool,
) -> dict[Part, BaseException]:
    if not parts:
        return {}
    try:
        attempt(parts)
    except errors as error:
        half = len(parts) // 2
        if half == 0:
            return {parts[0]: error}
        halves = (_failing(some, attempt, errors, together=together) for some in (parts[:half], parts[half:]))
        faults = {part: fault for half_faults in halves for part, fault in half_faults.items()}
        return faults or (dict.fromkeys(parts, error) if together else {})
    return {}


def sentence(rule: Rule, error: BaseException) -> str:
    """One sentence that names the rule and says what it raised."""
    column = f" of {rule.column_label}" if rule.column_label else ""
    what = error_text(error)
    if isinstance(error, PanicException):
        what = f"an error inside Polars ({what})"
    elif not isinstance(error, RuleError | PolarsError):
        # A ZeroDivisionError says of itself what "division by zero" does not: who raised it.
        what = what if what == type(error).__name__ else f"{type(error).__name__}: {what}"
    return f"{rule.type}{column}: wanted an answer over these rows, got: {what}"
