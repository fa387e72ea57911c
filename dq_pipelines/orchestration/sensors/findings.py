"""Reads from an ended run what succeeded and what failed, as findings. `monitoring.alerts` turns them into alerts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from dq_pipelines.history.alerts.alert import SEVERITIES
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.history.store.records import REPLAY
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.alerts.opening import Finding, event_of
from dq_pipelines.orchestration.checks.anomaly_checks import anomaly_specs
from dq_pipelines.orchestration.checks.rule_checks import check_specs
from dq_pipelines.orchestration.runs.ended_runs import RunLog
from dq_pipelines.orchestration.runs.run_partition import has_partitions, partitions_named
from dq_pipelines.project import Project, Table
from dq_pipelines.project.checked_rules import rules_by_check
from dq_pipelines.rules.core.check_names import renamed

#: The severity of a check whose metadata has none, by Dagster's severity.
_SEVERITY = {dg.AssetCheckSeverity.ERROR: "critical", dg.AssetCheckSeverity.WARN: "warning"}


@dataclass(frozen=True)
class RunFindings:
    """The findings of one run about this project."""

    log: RunLog
    project: Project
    history: History
    #: gives the current status of a table; None before its first run
    status_of: Callable[[str], TableStatus | None]
    #: by table, the refused rows of a batch above which there is an alert
    limits: Mapping[str, int]
    #: the jobs of this project that materialize nothing
    jobs: Collection[str] = ()

    def findings(self) -> list[Finding]:
        """Returns all findings: of checks, of the run's tables or job, and of rows in quarantine."""
        return [*self._checks(), *self._runs(), *self._quarantine()]

    def _checks(self) -> Iterator[Finding]:
        for check in self.log.checks:
            table = self._table(check.asset_key.to_user_string())
            if table is None:
                continue
            metadata = {name: value.value for name, value in check.metadata.items()}
            partitions = self._partitions(table)
            partition = check.partition or (partitions[0] if len(partitions) == 1 else None)
            rules, severity = rules_by_check(table), metadata.get("severity")
            # A run of an earlier release, which is read only now, has earlier names.
            name = check.check_name if check.check_name in rules else renamed(check.check_name)
            if check.passed and self._still_fails(table, name, partition):
                continue  # this run's rows pass, but a blocked batch or open refused rows still fail the check
            rule = rules.get(name)
            count = metadata.get("unexpected_count")
            yield Finding(
                event_of(name, None if rule is None else rule.type),
                table.key,
                check.passed,
                name,
                partition,
                severity if severity in SEVERITIES else _SEVERITY[check.severity],
                count if isinstance(count, int) else 0,
                check.description or "",
                self.log.run.run_id,
            )

    def _runs(self) -> Iterator[Finding]:
        run, failed = self.log.run, self.log.failed_steps
        tables = {table.key: table for key in self.log.planned if (table := self._table(key)) is not None}
        for key, table in tables.items():
            if has_partitions(table) and key in self.log.materialized:
                yield self._run(key, None)  # a success of any partition closes the alert of a run without a partition
            if len(partitions := self._partitions(table)) > 1:
                yield from self._over_range(table, partitions)
            elif table.name in failed:
                yield self._run(key, failed[table.name], *partitions)
            elif key in self.log.materialized:
                yield self._run(key, None, *partitions)
            elif self.log.failed and not failed:
                yield self._run(key, self.log.end or "the run ended in the middle", *partitions)
        if not tables and self._is_own_job and run.status != dg.DagsterRunStatus.CANCELED:
            message = "; ".join(failed.values()) or self.log.end or "the run failed"
            yield self._run(run.job_name, message if self.log.failed else None)

    def _over_range(self, table: Table, partitions: Sequence[str | None]) -> Iterator[Finding]:
        """Yields a finding per partition that the run tried; for the others only if the run died before any step failed."""
        attempts = {
            attempt.partition: attempt
            for attempt in Attempts(self.history).of_run(self.log.run.run_id)
            if attempt.table == table.key
        }
        for partition in partitions:
            attempt = attempts.get(partition)
            if attempt is not None and attempt.outcome in ("published", "nothing_new"):
                yield self._run(table.key, None, partition)
            elif attempt is not None and attempt.is_failure:
                yield self._run(table.key, attempt.said, partition)
            elif attempt is None and self.log.failed and not self.log.failed_steps:
                yield self._run(table.key, self.log.end or "the run ended in the middle", partition)

    def _run(self, about: str, error: str | None, partition: str | None = None) -> Finding:
        """Returns the finding that the run failed, or succeeded (no error), for a table or as a job."""
        return Finding(
            "run_failed", about, error is None, partition=partition, said=error or "", run_id=self.log.run.run_id
        )

    def _partitions(self, table: Table) -> Sequence[str | None]:
        return partitions_named(table, self.log.run.tags, self.log.instance)

    def _quarantine(self) -> Iterator[Finding]:
        for verdict in self.history.of_run(self.log.run.run_id):
            if (
                verdict.table in self.limits
                and verdict.batch
                and not verdict.blocked
                and not verdict.batch.startswith(REPLAY)
            ):
                yield Finding(
                    "quarantine",
                    verdict.table,
                    verdict.refused <= self.limits[verdict.table],
                    partition=verdict.partition,
                    severity="warning",
                    count=verdict.refused,
                    said=f"{verdict.refused:,} of {verdict.rows_in:,} rows are in quarantine",
                    run_id=verdict.run_id,
                )

    def _table(self, key: str) -> Table | None:
        """Returns the project's table of an asset: bronze, silver and quarantine share one; None for other assets."""
        layer, _, name = key.partition("/")
        table = self.project.tables.get(name)
        return table if table is not None and table.is_gold == (layer == "gold") else None

    def _still_fails(self, table: Table, check: str, partition: str | None) -> bool:
        """Whether the check fails by the table's current status, regardless of this run."""
        status = self.status_of(table.key)
        rule = status.rule(check) if status is not None else None
        return rule is not None and rule.fails_in(partition)

    @property
    def _is_own_job(self) -> bool:
        """Whether a run of no table is of this project: launched from its code location, or of one of its jobs."""
        return self.log.run.remote_job_origin is not None or self.log.run.job_name in self.jobs


def checks_of(table: Table) -> set[str]:
    """Returns the current check names of a table."""
    return {spec.name for spec in (*check_specs(table), *anomaly_specs(table))}
