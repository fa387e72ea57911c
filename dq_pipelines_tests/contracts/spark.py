"""Spark for the contract suite: a session on one core, set for many small queries."""

from __future__ import annotations

import os
import shlex

from dq_pipelines.engine.backends.spark.session import session_at

#: Generated and well optimised code and many partitions pay for much data; they took most of an example's time.
SETTINGS = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.memory": "768m",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def active() -> str:
    """The name by which the engine is asked for, once the session that it will find is there."""
    before = os.environ.get("PYSPARK_SUBMIT_ARGS")
    given = [part for name, value in SETTINGS.items() for part in ("--conf", f"{name}={value}")]
    os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*given, "pyspark-shell"])
    try:
        session_at("local[1]")
    finally:
        os.environ.pop("PYSPARK_SUBMIT_ARGS")
        if before is not None:
            os.environ["PYSPARK_SUBMIT_ARGS"] = before
    return "spark"
