"""Rules on their way back to Great Expectations: a suite that GX 1.x loads as it is.

GX itself says whether it takes a rule. That costs its import (3 s), so only here. What it does not
take stands in the suite's `meta`, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dq_pipelines.engine.json_values import plain
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.gx import great_expectations
from dq_pipelines.rules.core.gx_condition import gx_condition

#: Under which key of GX's `meta` stands what only we understand.
OURS = "dq_pipelines"


def gx_suite(rules: Iterable[Rule], *, name: str | None = None) -> dict[str, Any]:
    """The rules as a suite: `great_expectations.ExpectationSuite(**suite)` takes it, and JSON can hold it.

    Rules that GX does not know, or refuses, are listed under `meta.dq_pipelines.not_in_gx`, each with `rule`, as
    `dq.validate` takes it, and `why`. `on_failure`, for which GX has no place, goes into the rule's own `meta`.
    """
    expectations, beyond = [], []
    for rule in rules:
        expectation = _expectation(rule)
        why = _refusal(expectation)
        if why is None:
            expectations.append(expectation)
        else:
            beyond.append({"rule": _as_given(rule), "why": why})
    meta = {OURS: {"not_in_gx": beyond}} if beyond else {}
    return {"name": name or "dq_pipelines", "expectations": expectations, "meta": meta}


def _expectation(rule: Rule) -> dict[str, Any]:
    kwargs = plain(rule.kwargs)
    if rule.row_condition is not None:
        # GX deprecates text here, and with it the parser that it names.
        kwargs["row_condition"] = gx_condition(rule.row_condition, kwargs.pop("condition_parser", None))
    meta = plain(rule.meta or {})
    if rule.on_failure is not None:
        meta = {**meta, OURS: {**_mapping(meta.get(OURS)), "on_failure": rule.on_failure}}
    written = {"type": rule.gx_type, "kwargs": kwargs, "meta": meta, "severity": rule.severity}
    optional = {"description": rule.description, "notes": rule.notes, "id": rule.id}
    return written | {key: value for key, value in optional.items() if value is not None}


def _as_given(rule: Rule) -> dict[str, Any]:
    given: dict[str, Any] = plain(rule.model_dump(exclude_unset=True))
    return given


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _refusal(expectation: dict[str, Any]) -> str | None:
    """Why GX would not load the expectation, in one sentence; None when it would."""
    great_expectations()
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError, GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        ExpectationConfiguration(**expectation).to_domain_obj()
    except ExpectationNotFoundError:
        return f"Great Expectations has no '{expectation['type']}'"
    except (GreatExpectationsError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        return f"Great Expectations refuses it: {': '.join(line for line in lines[1:] or lines if line)}"
    return None
