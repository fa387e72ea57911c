"""A real Prometheus scrapes a real server, and evaluates every query of the dashboards and every rule."""

from __future__ import annotations

import itertools
import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines_tests.programs import program
from dq_pipelines_tests.web.scraped import another_batch, fill, quiet_instance, serving
from dq_pipelines_tests.workshop import Workshop

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus/dq_pipelines.rules.yml"
_METRIC = re.compile(r"\b(?:dq|process)[a-z0-9_:]+\b(?!\s*\()")

#: What the shop gives reason for.
ON = {"DqBatchBlocked", "DqCriticalRuleFailed", "DqQualityScoreLow", "DqErrorRateHigh"}

#: One process for all, since what they look at takes long to fill.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prometheus")]


class Prometheus:
    """One that was started for a test."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **more: str) -> Any:
        query = urllib.parse.urlencode(more)
        try:
            with urllib.request.urlopen(f"{self.address}/api/v1/{path}?{query}", timeout=10) as answer:  # noqa: S310 our own
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it has not read its own log yet
                raise
            raise AssertionError(f"{path} {more}: {error.read().decode()}") from None

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    def is_up(self) -> bool:
        try:
            return bool(self.query("up == 1"))
        except (urllib.error.URLError, ConnectionError):
            return False


def wait(seconds: float, what: str) -> Iterator[int]:
    """Counts until `seconds` have passed; then the test has failed."""
    until = time.monotonic() + seconds
    for count in itertools.count():
        assert time.monotonic() < until, what
        yield count
        time.sleep(0.3)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has scraped the shop for some seconds, in which new batches came."""
    found, root = program("prometheus"), tmp_path_factory.mktemp("prometheus")
    with (
        quiet_instance(tmp_path_factory.mktemp("dagster")) as instance,
    ):
        shop = Workshop(root, instance)
        fill(shop)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with serving(shop) as target:
            settings = {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(RULES)],
                "scrape_configs": [
                    {"job_name": "dq_pipelines", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
                ],
            }
            (root / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
            where = [f"--config.file={root / 'prometheus.yml'}", f"--storage.tsdb.path={root / 'data'}"]
            command = [found, *where, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
            with (
                (root / "said").open("wb") as said,
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said) as process,
            ):
                try:
                    one = Prometheus(port)
                    for _ in wait(60, "Prometheus has not come up"):
                        if one.is_up():
                            break
                    for number in wait(60, "no rate of rows"):
                        another_batch(shop, number)
                        if one.query("rate(dq_rows_total[20s]) > 0") and one.query("dq:error_ratio:rate1h > 0"):
                            break
                    yield one
                finally:
                    process.terminate()


def panels() -> list[tuple[str, str]]:
    """Panel and query of every dashboard."""
    found = []
    for path in sorted((DEPLOY / "grafana").glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            found += [(f"{path.stem}: {panel['title']}", target["expr"]) for target in panel["targets"]]
    return found


def as_grafana_sends_it(expression: str) -> str:
    for name, value in {"$domain": ".*", "$table": ".*", "$__rate_interval": "20s"}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def test_every_query_of_every_panel_gives_data(prometheus: Prometheus) -> None:
    assert len(panels()) > 25
    without = [(title, query) for title, query in panels() if not prometheus.query(as_grafana_sends_it(query))]
    assert without == []


def test_every_variable_of_the_dashboards_has_values(prometheus: Prometheus) -> None:
    for path in (DEPLOY / "grafana").glob("*.json"):
        for variable in json.loads(path.read_text(encoding="utf-8"))["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
                found = prometheus.ask(f"label/{label}/values", **{"match[]": as_grafana_sends_it(metric)})
                assert found == (["shop"] if label == "domain" else ["orders", "returns", "revenue"])


def test_every_rule_is_evaluated_and_what_it_asks_for_is_there(prometheus: Prometheus) -> None:
    for _ in wait(20, f"not all of {ON} are on"):
        rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        on = {rule["name"] for rule in rules if rule["type"] == "alerting" and rule["state"] != "inactive"}
        if on >= ON and all(rule["health"] != "unknown" for rule in rules):
            break
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    assert len(rules) == 11
    for rule in rules:
        metrics = set(_METRIC.findall(rule["query"]))
        assert metrics, rule["query"]
        for name in metrics:
            assert prometheus.query(name), (rule["name"], name)
    assert on == ON


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", RULES),
        ("test", "rules", DEPLOY / "prometheus/dq_pipelines.rules.test.yml"),
        ("check", "config", DEPLOY / "prometheus/prometheus.yml"),
    ],
    ids=["rules", "unit tests of the rules", "configuration"],
)
def test_promtool_agrees(arguments: tuple[str, str, Path]) -> None:
    said = subprocess.run([program("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
