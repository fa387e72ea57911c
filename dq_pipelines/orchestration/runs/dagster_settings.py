"""Checks the Dagster instance for settings that tables need, and writes a `dagster.yaml` where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from dq_pipelines.orchestration.runs.run_queue import TABLE_TAG

#: The settings file in `DAGSTER_HOME`.
FILE = "dagster.yaml"

#: The settings of the project's own dagster.yaml that keep runs going, without telemetry.
DEFAULTS = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs:
    max_concurrent_runs: 4
    tag_concurrency_limits:
      - {key: dq/table, value: {applyLimitPerUniqueValue: true}, limit: 1}
      - {key: dq/tables, limit: 2}
sensors: {use_threads: true, num_workers: 4}
schedules: {use_threads: true, num_workers: 4}
run_queue: {max_user_code_failure_retries: 20, user_code_failure_retry_delay: 5}
run_monitoring: {enabled: true, start_timeout_seconds: 300, max_resume_run_attempts: 0}
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
"""


def write_settings(home: Path) -> Path:
    """Writes a new `dagster.yaml` into `home`: a copy of the working directory's, else the defaults. Returns its path.

    Raises OSError, such as FileExistsError where `home` has one.
    """
    template, path = Path(FILE), home / FILE
    text = template.read_text(encoding="utf-8") if template.is_file() else DEFAULTS
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return path


def missing_settings(instance: dg.DagsterInstance) -> Iterator[tuple[str, str]]:
    """Yields each missing setting that tables need, with the consequence for runs."""
    queue = instance.get_concurrency_config().run_queue_config
    if queue is not None and TABLE_TAG not in {limit["key"] for limit in queue.tag_concurrency_limits or ()}:
        yield (
            f"concurrency.runs.tag_concurrency_limits of {TABLE_TAG}",
            "runs that wait for their table may fill the queue",
        )
    if queue is not None and not queue.max_user_code_failure_retries:
        yield (
            "run_queue.max_user_code_failure_retries",
            "a run that is launched while the code server starts fails",
        )
    if not instance.run_monitoring_enabled:
        yield "run_monitoring.enabled", "what hangs while it starts or stops is not ended"
    if not instance.run_retries_enabled:
        yield "run_retries.enabled", "a run that was killed is not tried again"
