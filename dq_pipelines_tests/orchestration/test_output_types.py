"""The shorter way to an output's type gives the same type as Dagster's own, and only while assets are defined."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.types.dagster_type import resolve_dagster_type

from dq_pipelines.orchestration.output_types import OUTPUTS, types_taken_as_they_are

TYPES = (
    None,
    int,
    str,
    list,
    dict,
    dg.Nothing,
    dg.Any,
    dg.Int,
    dg.List[int],
    dg.Optional[str],
    dg.MaterializeResult,
    list[str],
)


@pytest.mark.parametrize(
    "given", [*TYPES, *map(resolve_dagster_type, TYPES)], ids=[str(number) for number in range(2 * len(TYPES))]
)
def test_a_type_is_resolved_as_by_dagster(given: object) -> None:
    with types_taken_as_they_are():
        found = OUTPUTS.resolve_dagster_type(given)
        assert OUTPUTS.OutputDefinition(given).dagster_type.key == resolve_dagster_type(given).key
    assert found.key == resolve_dagster_type(given).key
    if isinstance(given, dg.DagsterType):
        assert found is given


def test_afterwards_dagster_is_as_it_was() -> None:
    def refused() -> None:
        with types_taken_as_they_are():
            assert OUTPUTS.resolve_dagster_type is not resolve_dagster_type
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        refused()
    assert OUTPUTS.resolve_dagster_type is resolve_dagster_type
