"""Great Expectations itself, imported when it is first needed and made to hold its tongue. Who asks it what stands elsewhere."""

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
    """The module, without the warnings of its import (3 s), its reports to its makers and its log.

    Raises RuleError where it cannot be imported.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import great_expectations
    except SystemExit:
        # pyspark ends a program that has no file (`python -c`, a worker of pytest-xdist) when it lacks Spark Connect.
        raise RuleError(
            "Great Expectations cannot be imported: pyspark is here, and what its Spark Connect needs is not "
            "(pip install 'pyspark[connect]')"
        ) from None
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    return great_expectations


def is_handed_over(type_: str) -> bool:
    """Whether a rule's type is the user's own with GX: `module:Class`, or registered there by an import already done."""
    if ":" in type_:
        return True
    registry = sys.modules.get("great_expectations.expectations.registry")
    return registry is not None and type_ in registry.list_registered_expectation_implementations()


def expectation_class(type_: str) -> Any:
    """GX's class for the type; raises ValueError, in one sentence, when there is none."""
    must_be_allowed(type_)
    package = type_.partition(":")[0].partition(".")[0]
    if ":" in type_ and not (package.isidentifier() and find_spec(package)):
        named(type_)  # that there is none is said before GX takes its seconds to import
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
    """The expectation with its arguments; raises ValueError, in one sentence, for those that it does not take."""
    cls = expectation_class(type_)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cls(**arguments)
    except (TypeError, ValueError) as error:  # pydantic 1's ValidationError is a ValueError
        lines = [line.strip() for line in str(error).splitlines()]
        unknown = next((name for name in arguments if name not in cls.__fields__), "")
        said = ": ".join(lines[1:3] or lines)
        raise ValueError(f"{type_}: {said}{nearest(unknown, cls.__fields__)}") from None


def judges_rows(expectation: Any) -> bool:
    """Whether GX says of each row what it thinks of it."""
    from great_expectations.expectations import expectation as kinds

    return isinstance(
        expectation, kinds.ColumnMapExpectation | kinds.ColumnPairMapExpectation | kinds.MulticolumnMapExpectation
    )
