"""Accepted points are kept, replaced and taken back, of one series and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from dq_pipelines.history.store.accepted import AcceptedPoint, AcceptedPoints
from dq_pipelines.history.store.verdicts import History

AT = datetime(2026, 1, 31, 2, 0, 0, 123456, tzinfo=UTC)
POINT = AcceptedPoint("silver/orders", "row_count", None, AT, False, "ann", "", AT)


def test_accepted_points(history: History) -> None:
    points = AcceptedPoints(history)
    assert points.of("silver/orders", "row_count", None) == {}
    of_column = replace(POINT, metric="mean", column="amount", new_level=True)
    for point in (POINT, of_column, replace(POINT, note="again")):
        points.accept(point)
    assert points.of("silver/orders", "row_count", None) == {AT: replace(POINT, note="again")}
    assert points.of("silver/orders", "mean", "amount") == {AT: of_column}
    assert points.of("silver/orders", "mean", "price") == {}
    assert points.every() == [of_column, replace(POINT, note="again")]
    elsewhere = AT.astimezone(timezone(timedelta(hours=5)))
    assert points.reopen("silver/orders", "row_count", None, elsewhere)
    assert not points.reopen("silver/orders", "row_count", None, AT)
    assert points.reopen("silver/orders", "mean", "amount", AT)
    assert points.every() == []


def test_a_history_that_has_not_begun_is_not_made_by_asking(history: History) -> None:
    if history.url.startswith("sqlite"):
        assert AcceptedPoints(history).every() == []
        assert not history.is_begun
