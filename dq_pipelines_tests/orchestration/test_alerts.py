"""What a run said is told once, to a real web hook and a real mail server; that it is well again, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines_tests.orchestration.listening import Hook, Mailbox
from dq_pipelines_tests.orchestration.orders import land, settings, table, tick
from dq_pipelines_tests.workshop import Workshop

BETWEEN = "expect_column_values_to_be_between"


def test_a_blocked_batch_is_told_once_and_so_is_its_mending(orders: Workshop, web: Hook) -> None:
    land(orders, 1, 5, 500)
    ran = orders.run("orders")
    assert not ran.success
    assert tick(orders) == "1 run read, 1 message sent"
    [told] = web.got
    assert told["title"] == "demo: silver/orders: 2 checks failed, run failed"
    assert told["type"] == "failure"
    lines = told["message"].splitlines()
    assert any(
        line.startswith("amount is between 0 and 100 (critical, amount__between): 1 of 2 rows fail") for line in lines
    ), lines
    assert any(line.startswith("run failed: silver/orders: nothing was published, batch") for line in lines)
    assert f"Run: http://dagster.test/runs/{ran.run_id}" in lines
    assert "Checks: http://dagster.test/assets/silver/orders?view=checks" in lines
    assert tick(orders) == "0 runs read, 0 messages sent"

    land(orders, 1, 5, 50)  # the file is mended
    mended = orders.run("orders")
    assert mended.success
    tick(orders)
    assert web.titles[1:] == ["demo: silver/orders: recovered"]
    assert web.got[1]["type"] == "success"
    assert "recovered after" in web.got[1]["message"]
    assert mended.run_id in web.got[1]["message"]
    tick(orders)
    assert len(web.got) == 2
    assert AlertBook(orders.history).open() == []


def test_the_same_failure_in_a_later_run_is_not_told_again(orders: Workshop, web: Hook) -> None:
    land(orders, 1, 5, 500)
    for _ in range(2):
        assert not orders.run("orders").success
        tick(orders)
    assert len(web.got) == 1


def test_a_failed_check_is_told_though_the_run_went_well(orders: Workshop, web: Hook) -> None:
    table(orders, action="warn")
    land(orders, 1, 5, 500)
    assert orders.run("orders").success
    tick(orders)
    assert web.titles == ["demo: silver/orders: 2 checks failed"]


def test_checks_alone_do_not_call_a_blocked_batch_well(orders: Workshop, web: Hook) -> None:
    land(orders, 1, 5, 50)
    assert orders.run("orders").success
    land(orders, 2, 500)
    assert not orders.run("orders").success
    tick(orders)
    assert orders.run_job("checks__orders").success  # what was published is as it should be
    tick(orders)
    assert len(web.got) == 1
    assert {alert.event for alert in AlertBook(orders.history).open()} == {"check_failed", "run_failed"}


def test_mail(orders: Workshop, web: Hook, mail: Mailbox) -> None:
    to = f", office: 'mailto://127.0.0.1:{mail.port}?from=dq@example.org&to=office@example.org&mode=insecure'"
    settings(orders, web, "when: [{to: [office]}]", to)
    land(orders, 1, 500)
    ran = orders.run("orders")
    tick(orders)
    tick(orders)
    [got] = mail.got
    assert got["Subject"] == "demo: silver/orders: 2 checks failed, run failed"
    assert got["To"] == "office@example.org"
    text = "".join(part.get_content() for part in got.walk() if part.get_content_type().startswith("text/"))  # type: ignore[attr-defined]
    assert ran.run_id in text
    assert web.got == []


def test_a_channel_that_is_down_is_told_when_it_is_up(
    orders: Workshop, web: Hook, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    land(orders, 1, 500)
    orders.run("orders")
    web.status = 500
    said = tick(orders)
    assert said.startswith("1 run read, 0 messages sent; channel team: wanted to send a message, got: ")
    assert "500" in said
    web.status = 200
    assert tick(orders) == "0 runs read, 1 message sent"
    assert len(web.got) == 1
    heard = "".join([said, caplog.text, *capfd.readouterr()])
    assert "geheim" not in heard
    assert "t0ken" not in heard


def test_what_came_and_went_before_anybody_looked_is_told(orders: Workshop, web: Hook) -> None:
    land(orders, 1, 500)
    orders.run("orders")
    land(orders, 1, 5)
    orders.run("orders")
    assert tick(orders) == "2 runs read, 1 message sent"
    assert web.titles == ["demo: silver/orders: 2 checks failed, run failed, and recovered since"]
    tick(orders)
    assert len(web.got) == 1


def test_one_run_over_several_tables_is_one_message(orders: Workshop, web: Hook) -> None:
    table(orders, "returns")
    for name in ("orders", "returns"):
        land(orders, 1, 500, name=name)
    orders.run("orders", "returns")
    tick(orders)
    assert web.titles == ["demo: 2 tables: 4 checks failed, 2 runs failed"]
    assert "silver/returns: run failed: silver/returns: nothing was published" in web.got[0]["message"]


def test_further_failures_within_the_window_are_kept_for_one_message(orders: Workshop, web: Hook) -> None:
    table(orders, action="warn", more="partitions: {type: dynamic}")
    for key in "abcd":
        land_partition(orders, key, 500)
    orders.run("orders", partition="a")
    tick(orders)
    for key in "bcd":
        orders.run("orders", partition=key)
        tick(orders)
    assert len(web.got) == 1
    assert "[a]" in web.got[0]["message"]
    settings(orders, web, "window: 0s")
    tick(orders)
    assert len(web.got) == 2
    assert "[b, c, d]" in web.got[1]["message"]


def land_partition(shop: Workshop, key: str, amount: float) -> None:
    shop.land(f"orders/{key}.csv", f"id,amount\n1,{amount}\n")
    shop.instance.add_dynamic_partitions("orders_files", [key])


def test_at_most_so_many_an_hour_and_the_rest_as_a_summary(orders: Workshop, web: Hook) -> None:
    settings(orders, web, "per_hour: 3")
    names = [f"t{number}" for number in range(6)]
    for name in names:
        table(orders, name)
        land(orders, 1, 500, name=name)
        orders.run(name)
    tick(orders)
    assert web.titles[:2] == [f"demo: silver/t{n}: 2 checks failed, run failed" for n in (0, 1)]
    assert web.titles[2:] == ["demo: 4 tables: 12 alerts in one, there were too many within the hour"]
    land(orders, 1, 500, name="orders")
    orders.run("orders")
    tick(orders)
    assert len(web.got) == 3  # the hour is full; what is kept is told when it has room again


def test_a_daemon_that_starts_anew_neither_repeats_nor_forgets(tmp_path: Path, web: Hook) -> None:
    """The state is in the history's database: another process, with another Dagster cursor, goes on where the last was."""
    with Workshop(tmp_path).instance as instance:
        for told in (["demo: silver/orders: 2 checks failed, run failed"], []):
            shop = Workshop(tmp_path, instance)
            if told:
                settings(shop, web)
                table(shop)
                land(shop, 1, 500)
                shop.run("orders")
            web.got.clear()
            tick(shop)
            assert web.titles == told
        land(shop, 1, 5)
        shop.run("orders")
        tick(Workshop(tmp_path, instance))
    assert web.titles == ["demo: silver/orders: recovered"]


def test_no_secret_is_written_down(orders: Workshop, web: Hook) -> None:
    land(orders, 1, 500)
    orders.run("orders")
    tick(orders)
    assert web.headers[0]["Authorization"].startswith("Basic ")  # it was used
    assert "geheim" not in repr(orders.project)
    assert "geheim" not in json.dumps(orders.project.settings.model_dump(mode="json"))
    written = [path for path in orders.root.rglob("*") if path.is_file() and path.name != "project.yaml"]
    assert len(written) > 5
    assert not [path for path in written if b"geheim" in path.read_bytes()]
