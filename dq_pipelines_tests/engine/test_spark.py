"""What is Spark's own: frames of its sessions, files, addresses, interrupts, and servers at the other end of a line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from datetime import time as clock
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dq_pipelines import validate
from dq_pipelines.engine.backends.spark.backend import Spark
from dq_pipelines.errors import SourceError
from dq_pipelines_tests.contracts.backends import started
from dq_pipelines_tests.contracts.spark import SETTINGS

pytestmark = pytest.mark.slow

RULES: list[dict[str, Any]] = [
    {"type": "expect_column_values_to_not_be_null", "column": "id"},
    {"type": "expect_column_values_to_be_unique", "column": "id", "severity": "warning"},
    {"type": "expect_column_values_to_match_regex", "column": "name", "regex": "^[a-z]+$"},
    {"type": "expect_column_values_to_be_between", "column": "at", "min_value": "2026-01-01T12:00"},
    {"type": "expect_column_mean_to_be_between", "column": "n", "max_value": 0},
]
ROWS = pl.DataFrame(
    {
        "id": [1, 2, 2, None],
        "name": ["ab", "b1", "c", "aa"],
        "n": [1.5, float("nan"), None, -3.0],
        "at": [datetime(2026, 1, day, 11) for day in (1, 2, 3, 4)],  # noqa: DTZ001 - told without a zone
    }
)


@pytest.fixture
def session() -> Any:
    started("spark")
    from pyspark.sql import SparkSession

    return SparkSession.active()


def same_as_polars(data: Any, engine: str) -> None:
    there, here = validate(data, RULES, engine=engine), validate(ROWS, RULES)
    for result, known in zip(there.results, here.results, strict=True):
        assert (result.error, result.engine) == (None, "spark")
        assert (result.success, result.unexpected_count, result.observed_value) == (
            known.success,
            known.unexpected_count,
            known.observed_value,
        )
    for rows, wanted in ((there.kept, here.kept), (there.refused, here.refused)):
        assert_frame_equal(rows.collect(), wanted.collect(), check_row_order=False)


def test_a_frame_of_a_session_is_judged_by_that_session(session: Any) -> None:
    frame = session.createDataFrame(ROWS.to_arrow())
    same_as_polars(frame, "spark")
    for engine in ("polars", "duckdb"):
        verdict = validate(frame, RULES, engine=engine)
        assert {result.engine for result in verdict.results} == {engine}
        assert_frame_equal(verdict.refused.collect(), validate(ROWS, RULES).refused.collect(), check_row_order=False)


def test_times_of_a_sessions_frame_are_judged_and_nulls_alone_are_not(session: Any) -> None:
    rows = [(clock(7), None), (clock(8), None), (clock(23), None), (None, None)]
    frame = session.createDataFrame(rows, "h time(6), nothing void")
    bounds = {"type": "expect_column_values_to_be_between", "min_value": "08:00", "max_value": "20:00"}
    found = validate(frame, [{**bounds, "column": "h"}, {**bounds, "column": "nothing"}], engine="spark").results
    assert [(one.engine, one.unexpected_count, one.missing_count) for one in found] == [
        ("spark", 2, 1),
        ("spark", 0, 4),
    ]


@pytest.mark.usefixtures("session")
def test_a_file_is_read_by_spark_and_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    ROWS.write_parquet(tmp_path / "rows.parquet")
    same_as_polars(tmp_path / "rows.parquet", "spark")
    ROWS.write_csv(tmp_path / "rows.csv")
    assert validate(tmp_path / "rows.csv", RULES[:1], engine="spark").results[0].unexpected_count == 1
    with pytest.raises(SourceError, match="rows2"):
        validate(tmp_path / "rows2.parquet", RULES, engine="spark")


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (pl.Series("a.b", [1]), "column 'a.b': to Spark a dot is the way into a struct; rename the column"),
        (pl.Series("a", [1, 2]).cast(pl.Datetime("ns")), "column 'a' tells nanoseconds, which Spark cuts off"),
    ],
)
def test_what_spark_would_read_as_something_else_is_refused(column: pl.Series, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        started("spark").open(column.to_frame())


def test_where_a_session_reads_datetimes_in_a_zone_polars_judges_them(session: Any) -> None:
    frame = session.createDataFrame(ROWS.to_arrow())
    session.conf.set("spark.sql.timestampType", "TIMESTAMP_LTZ")
    session.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        verdict = validate(frame, RULES, engine="spark")
    finally:
        session.conf.set("spark.sql.timestampType", "TIMESTAMP_NTZ")
        session.conf.set("spark.sql.session.timeZone", "UTC")
    (by_polars,) = [result for result in verdict.results if result.engine == "polars"]
    assert by_polars.unexpected_count == 1
    assert "reads datetimes in a time zone" in str(by_polars.note)


def test_what_runs_ends_when_it_is_stopped(session: Any) -> None:
    engine = Spark()
    frame = engine.open(session.range(10**12).selectExpr("sum(id * id % 7) as s"))
    tracker = session.sparkContext.statusTracker()
    ended = threading.Event()

    def ask() -> None:
        with pytest.raises(engine.errors):  # or else it sums for hours
            engine.records(frame)
        ended.set()

    worker = threading.Thread(target=ask, daemon=True)
    worker.start()
    while not tracker.getActiveJobsIds():
        assert worker.is_alive()
        time.sleep(0.05)
    engine.stop()
    assert ended.wait(60), "it still runs"


@pytest.mark.parametrize("address", ["spark://127.0.0.1:1", "sc://127.0.0.1:1/;token=hush"])
def test_an_address_where_nobody_listens_is_told_at_once_and_without_the_token(address: str) -> None:
    engine = Spark(address)
    with pytest.raises(SourceError, match="no Spark answers there") as told:
        engine.open(ROWS)
    assert "hush" not in str(told.value)


def test_without_java_it_says_what_is_missing(tmp_path: Path) -> None:
    said = run_python("dq_pipelines.validate(polars.DataFrame(), [], engine='spark')", PATH=str(tmp_path), JAVA_HOME="")
    assert "Spark needs Java 17 or later: there is none on PATH and JAVA_HOME is not set" in said.stderr


# ---------------------------------------------------------------------------------------------------------------------


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = f"import dq_pipelines, polars\n{textwrap.dedent(code)}"
    return subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, env={**os.environ, **environment}
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the server does not start"
        time.sleep(0.2)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(folder: Path, script: str, *arguments: str) -> Iterator[Path]:
    """One of Spark's own programs on loopback; what it says is in the file."""
    import pyspark

    home = Path(pyspark.__file__).parent
    log = folder / f"{arguments[-1].rpartition('/')[2]}-{time.monotonic_ns()}.log"
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(home), "SPARK_NO_DAEMONIZE": "1"}
    with log.open("w") as out:
        program = subprocess.Popen(
            [home / "bin" / script, *arguments], stdout=out, stderr=out, env=environment, cwd=folder
        )
    try:
        yield log
    finally:
        program.terminate()
        program.wait(20)


@contextmanager
def standalone(folder: Path) -> Iterator[str]:
    port = free_port()
    place = f"spark://127.0.0.1:{port}"
    deploy = "org.apache.spark.deploy"
    master = [f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = [f"{deploy}.worker.Worker", "--host", "127.0.0.1", "-c", "1", "-m", "1g", "-d", str(folder / "work")]
    with running(folder, "spark-class", *master):
        until(lambda: listens(port))
        with running(folder, "spark-class", *worker, "--webui-port", "0", place) as log:
            until(lambda: "Successfully registered" in log.read_text())
            yield place


@contextmanager
def connect(folder: Path) -> Iterator[str]:
    port = free_port()
    binding = "spark.connect.grpc.binding"
    # Set for small questions as the session of the contract suite is: half of what this takes is code being optimised.
    given = {**SETTINGS, f"{binding}.port": port, f"{binding}.address": "127.0.0.1", "spark.ui.enabled": "false"}
    settings = [part for name, value in given.items() for part in ("--conf", f"{name}={value}")]
    server = ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "--master", "local[1]"]
    with running(folder, "spark-submit", *server, *settings, "spark-internal"):
        until(lambda: listens(port))
        yield f"sc://127.0.0.1:{port}"


@pytest.mark.slow
@pytest.mark.parametrize("server", [pytest.param(standalone, marks=pytest.mark.torture), connect])
def test_a_real_server_says_what_polars_says(tmp_path: Path, server: Any) -> None:
    with server(tmp_path) as address:
        said = run_python(f"""
            from dq_pipelines_tests.engine.test_spark import ROWS, same_as_polars
            same_as_polars(ROWS, {address!r})
            same_as_polars(ROWS, {address!r})
        """)
    assert (said.returncode, said.stderr) == (0, "")
