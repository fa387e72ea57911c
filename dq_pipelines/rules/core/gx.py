"""Imports Great Expectations on demand and quietly, and creates its expectations."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from dq_pipelines.config.functions import must_be_allowed, named
from dq_pipelines.config.model import shown
from dq_pipelines.errors import RuleError, nearest


@cache
def great_expectations() -> ModuleType:
    """The module, imported without its warnings, analytics and log; the import takes 3 s.

    Raises RuleError if it cannot be imported.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import great_expectations
    except SystemExit:
        # Without Spark Connect, pyspark exits a program that has no file (`python -c`, a worker of pytest-xdist).
        raise RuleError(
            "Great Expectations cannot be imported: pyspark is installed without the requirements of Spark Connect "
            "(pip install 'pyspark[connect]')"
        ) from None
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    return great_expectations


def is_handed_over(type_: str) -> bool:
    """Whether a rule's type is a custom expectation: `module:Class`, or registered in GX by an earlier import."""
    if ":" in type_:
        return True
    registry = sys.modules.get("great_expectations.expectations.registry")
    return registry is not None and type_ in registry.list_registered_expectation_implementations()


def expectation_class(type_: str) -> Any:
    """GX's class for the type; raises ValueError, with one sentence, if there is none."""
    must_be_allowed(type_)
    package = type_.partition(":")[0].partition(".")[0]
    if ":" in type_ and not (package.isidentifier() and find_spec(package)):
        named(type_)  # fails early, before the slow import of GX
    great_expectations()
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.registry import get_expectation_impl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = named(type_) if ":" in type_ else get_expectation_impl(type_)
    if not (isinstance(found, type) and issubclass(found, Expectation)):
        raise ValueError(f"{type_}: wanted a class of Great Expectations' Expectation, got {shown(found)}")
    return found


def expectation(type_: str, arguments: Mapping[str, Any]) -> Any:
    """The expectation with its arguments; raises ValueError, with one sentence, for invalid arguments."""
    cls = expectation_class(type_)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cls(**arguments)
    except (TypeError, ValueError) as error:  # pydantic 1's ValidationError is a ValueError
        lines = [line.strip() for line in str(error).splitlines()]
        unknown = next((name for name in arguments if name not in cls.__fields__), "")
        reason = ": ".join(lines[1:3] or lines)
        raise ValueError(f"{type_}: {reason}{nearest(unknown, cls.__fields__)}") from None


def judges_rows(expectation: Any) -> bool:
    """Whether the expectation gives a result for each row."""
    from great_expectations.expectations import expectation as kinds

    return isinstance(
        expectation, kinds.ColumnMapExpectation | kinds.ColumnPairMapExpectation | kinds.MulticolumnMapExpectation
    )
