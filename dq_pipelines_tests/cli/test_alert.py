"""`dq alert`: channels are tried for real, and what is open is told without an address."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dq_pipelines.history.alerts.alert import Alert
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.alerts.due import Subscription
from dq_pipelines.monitoring.alerts.settings import Rhythm, Route
from dq_pipelines_tests.orchestration.listening import hook

from .conftest import Dq


def configure(root: Path, alerts: str) -> None:
    folder = root / "assets_config/shop"
    folder.mkdir(parents=True)
    (folder / "sales.yaml").write_text('source: {type: csv, path: "/x/*.csv"}\n', encoding="utf-8")
    (root / "assets_config/project.yaml").write_text(alerts, encoding="utf-8")


def test_each_channel_is_tried(dq: Dq, tmp_path: Path) -> None:
    with hook() as up, hook() as down:
        down.status = 503
        lines = (
            f"alerts: {{to: {{up: '${{UP}}', down: 'json://127.0.0.1:{down.port}/gehe1m', "
            "odd: 'jsson://gehe1m', bare: 'slack://gehe1m'}}"
        )
        configure(tmp_path, f"name: demo\n{lines}")
        where = {"UP": f"json://127.0.0.1:{up.port}/gehe1m"}
        every = dq("alert", "test", **where)
        assert every.returncode == 1
        assert every.stdout == "up: sent\n"
        assert up.titles == ["demo: a test"]
        [of_down, of_odd, of_bare] = every.stderr.splitlines()
        assert of_down.startswith("channel down: wanted to send a message, got: ")
        assert "503" in of_down
        assert of_odd.startswith("channel odd: wanted an address of Apprise's, got 'jsson://' (nearest: json")
        assert of_bare == "channel bare: wanted an address of Apprise's, got an address that slack:// does not take"
        assert "gehe1m" not in every.stdout + every.stderr
        one = dq("alert", "test", "--to", "up", **where)
        assert (one.returncode, len(up.got)) == (0, 2)
        wrong = dq("alert", "test", "--to", "upp", **where)
        assert (wrong.returncode, wrong.stderr) == (2, "dq alert test --to: unknown channel 'upp' (nearest: up)\n")


def test_without_channels(dq: Dq, tmp_path: Path) -> None:
    configure(tmp_path, "name: demo\n")
    said = "dq alert test: wanted channels in alerts.to of project.yaml, found none\n"
    assert dq("alert", "test").stderr == said


def test_open_alerts_are_listed(dq: Dq, tmp_path: Path) -> None:
    assert dq("alert", "list").stdout == "no alert is open\n"
    book = AlertBook(History(f"sqlite:///{tmp_path / 'lake/history.db'}"))
    now = datetime(2026, 5, 4, 3, 2, tzinfo=UTC)
    one = Alert(
        "check_failed", "silver/sales", "amount_is_there", "2026-05-01", "critical", 3, "3 of 4 rows fail", "r", now
    )
    book.write([one, replace(one, name="closed", closed_at=now)], now)
    book.tell("team", [1], [], now)
    said = dq("alert", "list").stdout
    for word in ("2026-05-04 03:02", "silver/sales", "[2026-05-01]", "amount_is_there", "critical", "team"):
        assert word in said
    assert "closed" not in said
    [listed] = json.loads(dq("alert", "list", "--json").stdout)
    assert (listed["name"], listed["count"], listed["told"]) == ("amount_is_there", 3, ["team"])


def test_an_alert_is_closed_by_hand_and_nobody_is_told_that_it_is_well(dq: Dq, tmp_path: Path) -> None:
    book = AlertBook(History(f"sqlite:///{tmp_path / 'lake/history.db'}"))
    now = datetime.now(UTC)
    book.write([Alert("check_failed", "silver/sales", name, None, "critical", 3, "no", "r", now) for name in "ab"], now)
    book.write([replace(book.open()[0], number=0, name="c")], now)
    book.tell("team", [1, 2], [], now)
    wrong = dq("alert", "close", "1", "7")
    assert (wrong.returncode, wrong.stderr) == (2, "dq alert close: no alert 7 is open\n")
    assert dq("alert", "close", "1", "3").stdout == "closed 1: silver/sales a\nclosed 3: silver/sales c\n"
    assert [alert.name for alert in book.open()] == ["b"]
    routes = [Route(to=("team",))]
    ear = Subscription("team", lambda _: routes, book.told("team"), Rhythm(timedelta(hours=24), timedelta(0), 20))
    due = ear.due(book.since(now), now + timedelta(hours=25))
    assert ear.due(book.since(now), now) == []
    assert [(item.alert.name, item.news) for message in due for item in message.items] == [("b", "again")]
