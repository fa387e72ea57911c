"""Which alerts open and close, and what a channel is told when: tables of data, no clock, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dq_pipelines.history.alerts.alert import Alert, Notification
from dq_pipelines.monitoring.alerts.due import Subscription
from dq_pipelines.monitoring.alerts.opening import Finding, event_of, opened
from dq_pipelines.monitoring.alerts.settings import Alerts, Rhythm, Route
from dq_pipelines.monitoring.alerts.wording import MessageFormatter

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RHYTHM = Rhythm(repeat=24 * HOUR, window=timedelta(minutes=5), per_hour=20)


def alert(number: int = 1, about: str = "silver/a", **more: object) -> Alert:
    found = Alert("check_failed", about, f"check_{number}", None, "warning", 3, "3 rows fail", f"run-{number}", NOW)
    return replace(found, number=number, **more)  # type: ignore[arg-type]


def ear(told: Mapping[int, Notification] | None = None, rhythm: Rhythm = RHYTHM, **route: object) -> Subscription:
    routes = [Route(to=("team",), **route)]  # type: ignore[arg-type]
    return Subscription("team", lambda _: routes, told or {}, rhythm)


def due(listener: Subscription, *alerts: Alert, at: datetime = NOW) -> list[list[tuple[int, str]]]:
    return [[(item.alert.number, item.news) for item in each.items] for each in listener.due(alerts, at)]


BAD = Finding("check_failed", "silver/a", False, "c", said="no", run_id="1")


def test_an_alert_opens_goes_on_and_closes() -> None:
    [new] = opened([BAD], [], NOW)
    assert (new.is_open, new.opened_at, new.said) == (True, NOW, "no")
    new = replace(new, number=7)
    assert opened([BAD], [new], NOW + HOUR) == []
    [later] = opened([replace(BAD, run_id="2", count=5)], [new], NOW + HOUR)
    assert (later.number, later.opened_at, later.run_id, later.count) == (7, NOW, "2", 5)
    [closed] = opened([replace(BAD, is_well=True, run_id="3")], [later], NOW + 2 * HOUR)
    assert (closed.number, closed.closed_at, closed.closed_by, closed.run_id) == (7, NOW + 2 * HOUR, "3", "2")
    assert opened([replace(BAD, is_well=True)], [], NOW) == []


def test_each_partition_counts_for_itself() -> None:
    parts = [replace(BAD, partition="mon"), replace(BAD, partition="tue")]
    both = [replace(each, number=at) for at, each in enumerate(opened(parts, [], NOW), 1)]
    assert len(both) == 2
    [closed] = opened([replace(BAD, partition="tue", is_well=True)], both, NOW)
    assert closed.partition == "tue"


def test_what_was_there_before_a_channel_is_its_first_message() -> None:
    old = [alert(number, f"silver/t{number}") for number in range(1, 9)]
    at = NOW + timedelta(days=3)
    new = alert(9, "silver/t9", opened_at=at)
    [first, other] = ear().due([*old, new], at)
    assert (first.is_first, first.opened, other.is_first, other.opened) == (True, tuple(range(1, 9)), False, (9,))
    assert MessageFormatter("demo").format(first).title == "demo: 8 tables: 8 alerts, the first message of this channel"
    told = {number: Notification(at) for number in range(1, 9)}
    assert due(ear(told), *old, new, at=at) == [[(9, "new")]]
    assert [len(one) for one in due(ear(), old[0], at=at)] == [1]
    assert not ear().due(old[:1], at)[0].is_first


@pytest.mark.parametrize(
    ("check", "rule", "event"),
    [
        ("anomaly_row_count", None, "anomaly"),
        ("at__fresh", "expect_table_to_be_fresh", "freshness_missed"),
        ("schema_drift", None, "check_failed"),
    ],
)
def test_the_event_of_a_check(check: str, rule: str | None, event: str) -> None:
    assert event_of(check, rule) == event


@pytest.mark.parametrize(
    ("told", "closed_after", "after", "news"),
    [
        (None, None, 0 * HOUR, "new"),
        (Notification(NOW), None, HOUR, None),
        (Notification(NOW), None, 24 * HOUR, "again"),
        (Notification(NOW), HOUR, HOUR, "recovered"),
        (Notification(NOW, NOW + HOUR), HOUR, 30 * HOUR, None),
        (None, HOUR, 2 * HOUR, "passed"),
        (None, HOUR, 26 * HOUR, None),
    ],
)
def test_what_is_new(
    told: Notification | None, closed_after: timedelta | None, after: timedelta, news: str | None
) -> None:
    one = alert(closed_at=None if closed_after is None else NOW + closed_after)
    wanted = [] if news is None else [[(1, news)]]
    assert due(ear({1: told} if told else {}), one, at=NOW + after) == wanted


def test_what_went_wrong_anew_has_the_last_word() -> None:
    before = alert(1, name="c", closed_at=NOW)
    assert due(ear(), before, alert(2, name="c")) == [[(2, "new")]]
    assert due(ear({1: Notification(NOW - HOUR)}), before, alert(2, name="c")) == [[(2, "new")]]


def test_routes_choose_by_event_severity_and_number() -> None:
    quarantine = alert(event="quarantine", count=5)
    assert due(ear(severity="critical"), alert()) == []
    assert due(ear(severity="info"), alert(severity="info")) == [[(1, "new")]]
    assert due(ear(on=("run_failed",)), alert()) == []
    assert due(ear(), quarantine) == []
    assert due(ear(quarantine_above=5), quarantine) == []
    assert due(ear(quarantine_above=4), quarantine) == [[(1, "new")]]
    assert due(ear({1: Notification(NOW)}, on=("check_failed",)), alert(closed_at=NOW)) == []


def test_a_run_is_a_message_and_so_are_runs_of_the_same_tables() -> None:
    of_one_run = [alert(1, "silver/a", run_id="r"), alert(2, "silver/b", run_id="r")]
    of_one_table = [alert(number, "silver/c") for number in (3, 4)]
    assert due(ear(), *of_one_run, *of_one_table) == [[(1, "new"), (2, "new")], [(3, "new"), (4, "new")]]


def test_failures_come_before_recoveries_and_the_worst_first() -> None:
    well = alert(1, "silver/a", closed_at=NOW, closed_by="x")
    assert due(
        ear({1: Notification(NOW - HOUR)}), well, alert(2, "silver/b"), alert(3, "silver/c", severity="critical")
    ) == [
        [(3, "new")],
        [(2, "new")],
        [(1, "recovered")],
    ]


def test_the_window_keeps_failures_of_a_table_and_no_recovery() -> None:
    listener = ear({1: Notification(NOW)})
    later = NOW + timedelta(minutes=4)
    assert due(listener, alert(1), alert(2), alert(3, "silver/b"), at=later) == [[(3, "new")]]
    assert due(listener, alert(1), alert(2), at=NOW + timedelta(minutes=5)) == [[(2, "new")]]
    assert due(listener, alert(1, closed_at=later), at=later) == [[(1, "recovered")]]


@pytest.mark.parametrize(
    ("sent", "per_hour", "sizes", "summary"),
    [(0, 20, [1] * 5, False), (0, 5, [1] * 5, False), (0, 3, [1, 1, 3], True), (2, 3, [5], True), (3, 3, [], False)],
)
def test_the_last_message_of_an_hour_sums_up(sent: int, per_hour: int, sizes: Sequence[int], summary: bool) -> None:
    before = [alert(number, f"silver/old{number}") for number in range(1, sent + 1)]
    told = {old.number: Notification(NOW - timedelta(minutes=old.number)) for old in before}
    listener = ear(told, replace(RHYTHM, per_hour=per_hour))
    new = [alert(number, f"silver/t{number}") for number in range(11, 16)]
    messages = listener.due([*before, *new], NOW)
    assert [len(message.items) for message in messages] == sizes
    assert (messages[-1].is_summary if messages else False) == summary
    # Nothing is lost: with an hour gone, whatever was kept is told.
    assert sum(map(len, due(listener, *before, *new, at=NOW + HOUR))) == 5


def test_the_words() -> None:
    formatter = MessageFormatter("demo", "https://dagster.test/")
    many = [alert(at, name="c", partition=f"p{at}", run_id="r") for at in range(1, 9)]
    [message] = ear().due(many, NOW)
    post = formatter.format(message)
    assert post.title == "demo: silver/a: 8 checks failed"
    assert post.body.splitlines() == [
        "c (warning) [p1, p2, p3, p4, p5 and 3 more]: 3 rows fail",
        "Run: https://dagster.test/runs/r",
        "Checks: https://dagster.test/assets/silver/a?view=checks",
    ]
    assert post.kind == "warning"
    [message] = ear().due([alert(at, name=f"c{at:02}", run_id="r") for at in range(30)], NOW)
    assert MessageFormatter("demo").format(message).body.splitlines()[-2:] == ["and 10 more: dq alert list", "Run: r"]
    [message] = ear({1: Notification(NOW)}).due(
        [alert(closed_at=NOW + timedelta(hours=26, minutes=1), closed_by="s")], NOW
    )
    post = formatter.format(message)
    assert (post.title, post.kind) == ("demo: silver/a: recovered", "success")
    assert post.body == "check_1 (warning): recovered after 1 d 2 h\nRun: https://dagster.test/runs/s"


def test_without_routes_everything_goes_everywhere() -> None:
    asked = Alerts.model_validate({"to": {"a": "json://x", "b": "json://y"}})
    assert [route.to for route in asked.routes] == [("a", "b")]
    assert Alerts.model_validate({"to": {"a": "json://x"}, "when": []}).routes == ()
