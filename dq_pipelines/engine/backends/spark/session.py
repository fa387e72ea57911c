"""The Spark session that judges: the active one, one at an address, or a new one on this machine."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import time
import warnings
from functools import cache
from typing import IO, Any
from urllib.parse import urlsplit

from dq_pipelines.engine.backends.sql.query_engine import first_line
from dq_pipelines.errors import SourceError

#: How a session of our own means things: datetimes without a zone are what they say.
_MEANING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.timeType.enabled": "true",
}
#: What else a Spark of our own is like. Nothing of it listens beyond this machine unless its cluster lies beyond.
_SETTINGS = {
    **_MEANING,
    "spark.app.name": "dq_pipelines",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Rows leave by the partition, so files are read in small ones; frames that come in make few of them.
    "spark.sql.files.maxPartitionBytes": "32m",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
}
_LOOPBACK = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
_HERE = ("localhost", "127.0.0.1", "::1")
_PORTS = {"spark": 7077, "sc": 15002}
_UTC = ("UTC", "Etc/UTC", "GMT", "Z", "+00:00")
#: Seconds that a server has to answer; Spark itself tries for minutes.
_PATIENCE = 5.0


def session_at(address: str | None) -> Any:
    """The session at `spark://host:7077` or, of Spark Connect, at `sc://host:15002`.

    Without an address the active session; if none is, the one that SPARK_REMOTE or MASTER name, as for Spark itself;
    else a new one on this machine. Raises SourceError when there is no session.
    """
    _prepare()
    address = address or _active() or os.environ.get("SPARK_REMOTE") or os.environ.get("MASTER") or "local[*]"
    if not isinstance(address, str):
        return address
    if not address.startswith("local"):
        _answers(address)
    try:
        return _connected(address) if address.startswith("sc://") else _started(address)
    except _failures() as error:
        raise SourceError(f"{shown(address)}: Spark gives no session: {first_line(error)}") from None


def runs_here(session: Any) -> bool:
    """Whether the session's work is done in this process' own Spark, which sees the files that this machine has."""
    return ".connect." not in type(session).__module__ and session.sparkContext.master.startswith("local")


def naive_moments(session: Any) -> str | None:
    """Why the session takes a datetime without a zone for another one; None when it does not."""
    if session.conf.get("spark.sql.timestampType") == "TIMESTAMP_NTZ":
        return None
    if session.conf.get("spark.sql.session.timeZone") in _UTC and time.timezone == time.daylight == 0:
        return None
    return "its session reads datetimes in a time zone (spark.sql.timestampType is not TIMESTAMP_NTZ)"


def shown(address: str) -> str:
    """The address without what follows the host, which may be a token."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else address


def _prepare() -> None:
    # It warns of pandas 3 whenever a module of it is imported; nothing goes through pandas here.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    try:
        import pyspark  # noqa: F401 - whether it is there
    except ImportError:
        raise SourceError("Spark is not installed: pip install 'dq_pipelines[spark]'") from None
    # What Spark refuses becomes an error of ours. Spark would print it as JSON, too.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).disabled = True


def _failures() -> tuple[type[Exception], ...]:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    # Of two contexts in one process pyspark says ValueError.
    return (PySparkException, Py4JError, ValueError)


def _active() -> Any:
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is not None or "SPARK_CONNECT_MODE_ENABLED" not in os.environ:
        return session
    from pyspark.sql.connect.session import SparkSession as Connected

    return Connected.getActiveSession()


def _answers(address: str) -> None:
    """Raise SourceError when no server listens at the address."""
    scheme, hosts = address.partition("://")[0], urlsplit(address).netloc.rpartition("@")[2].split(",")
    if scheme not in _PORTS:
        return
    for place in hosts:
        host, _, port = place.partition(":")
        try:
            socket.create_connection((host, int(port or _PORTS[scheme])), _PATIENCE).close()
        except (OSError, ValueError) as error:
            refusal = error
        else:
            return
    raise SourceError(f"{shown(address)}: no Spark answers there ({refusal})")


@cache
def _connected(address: str) -> Any:
    """A session of our own at a Spark Connect server, whether or not this process has a Spark of its own."""
    try:
        from pyspark.sql.connect.session import SparkSession
    except ImportError as error:
        raise SourceError(f"Spark Connect is not installed ({error}): pip install 'dq_pipelines[spark]'") from None
    session = SparkSession.builder.remote(address).create()
    for name, value in _MEANING.items():
        session.conf.set(name, value)
    return session


def _started(master: str) -> Any:
    """A session of a Spark whose driver this process starts, unless it has one at this master."""
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    host = urlsplit(master).hostname
    conf = SparkConf(loadDefaults=False).setAll([*_SETTINGS.items(), ("spark.master", master)])
    if host is None or host in _HERE:
        conf.setAll(list(_LOOPBACK.items()))
    if SparkContext._gateway is None:  # noqa: SLF001 - there is no other way to keep a JVM from writing on the terminal
        if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
            raise SourceError("Spark needs Java 17 or later: there is none on PATH and JAVA_HOME is not set")
        with tempfile.TemporaryFile("w+") as log:
            try:
                gateway = launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]
            except _failures() as error:
                raise SourceError(f"Spark's Java does not start: {_last_line(log) or first_line(error)}") from None
        context = SparkContext(conf=conf, gateway=gateway)
        context.setLogLevel("OFF")
    return SparkSession.builder.config(conf=conf).getOrCreate()


def _last_line(log: IO[str]) -> str:
    log.seek(0)
    return next((line for line in reversed(log.read().splitlines()) if line.strip()), "").strip()
