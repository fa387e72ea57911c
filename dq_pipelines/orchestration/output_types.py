"""Makes Dagster take the types of outputs as they are while many assets are defined."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.definitions import output
from dagster._core.types.dagster_type import resolve_dagster_type

#: Dagster's module of outputs, with the function that it imports.
OUTPUTS: Any = output


@contextmanager
def types_taken_as_they_are() -> Iterator[None]:
    """Within this block, Dagster does not examine a type of an output that is one of its own types already.

    Every check is an output, and Dagster resolves each one's type twice, first asking whether it is one of a dozen kinds of
    annotations. For a thousand tables with twenty rules that takes a tenth of the loading time. Blocks of several threads may
    overlap: the one that ends first only ends the gain.
    """
    OUTPUTS.resolve_dagster_type = _resolved
    try:
        yield
    finally:
        OUTPUTS.resolve_dagster_type = resolve_dagster_type


def _resolved(dagster_type: object) -> dg.DagsterType:
    if isinstance(dagster_type, dg.DagsterType):
        return dagster_type
    return resolve_dagster_type(dagster_type)
