"""What a run said of the project's tables and jobs, as findings. What is made of them belongs in `monitoring.alerts`."""

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
from dq_pipelines.orchestration.runs.run_partition import has_partitions, may_be_about
from dq_pipelines.project import Project, Table
from dq_pipelines.project.checked_rules import rules_by_check

#: What a check without a severity of its own has, by Dagster's.
_SEVERITY = {dg.AssetCheckSeverity.ERROR: "critical", dg.AssetCheckSeverity.WARN: "warning"}


@dataclass(frozen=True)
class RunFindings:
    """One run, read for what it said of this project."""

    told: RunLog
    project: Project
    history: History
    #: where a table stands now; None before its first run
    stands: Callable[[str], TableStatus | None]
    #: by table, the rows of one batch in quarantine that somebody wants to hear of
    limits: Mapping[str, int]
    #: the jobs of this project that materialize nothing
    jobs: Collection[str] = ()

    def findings(self) -> list[Finding]:
        return [*self._checks(), *self._runs(), *self._quarantine()]

    def _checks(self) -> Iterator[Finding]:
        for one in self.told.checks:
            table = self._table(one.asset_key.to_user_string())
            if table is None:
                continue
            metadata = {name: value.value for name, value in one.metadata.items()}
            about = self._partitions(table)
            partition = one.partition or (about[0] if len(about) == 1 else None)
            if one.passed and self._still_fails(table, one.check_name, partition):
                continue  # what was judged now is well; a batch that is held back, or rows that wait, are not
            rule, severity = rules_by_check(table).get(one.check_name), metadata.get("severity")
            count = metadata.get("unexpected_count")
            yield Finding(
                event_of(one.check_name, None if rule is None else rule.type),
                table.key,
                one.passed,
                one.check_name,
                partition,
                severity if severity in SEVERITIES else _SEVERITY[one.severity],
                count if isinstance(count, int) else 0,
                one.description or "",
                self.told.run.run_id,
            )

    def _runs(self) -> Iterator[Finding]:
        run, failed = self.told.run, self.told.failed_steps
        tables = {table.key: table for key in self.told.planned if (table := self._table(key)) is not None}
        for key, table in tables.items():
            if has_partitions(table) and key in self.told.materialized:
                yield self._run(key, None)  # a run that named no partition is made up for by any that names one
            if len(about := self._partitions(table)) > 1:
                yield from self._over_range(table, about)
            elif table.name in failed:
                yield self._run(key, failed[table.name], *about)
            elif key in self.told.materialized:
                yield self._run(key, None, *about)
            elif self.told.failed and not failed:
                yield self._run(key, self.told.end or "the run ended in the middle", *about)
        if not tables and self._is_own_job and run.status != dg.DagsterRunStatus.CANCELED:
            said = "; ".join(failed.values()) or self.told.end or "the run failed"
            yield self._run(run.job_name, said if self.told.failed else None)

    def _over_range(self, table: Table, partitions: Sequence[str | None]) -> Iterator[Finding]:
        """How the run went for each partition; of those that it never came to nothing is said, but where it ended by itself."""
        found = {
            one.partition: one for one in Attempts(self.history).of_run(self.told.run.run_id) if one.table == table.key
        }
        for partition in partitions:
            attempt = found.get(partition)
            if attempt is not None and attempt.outcome in ("published", "nothing_new"):
                yield self._run(table.key, None, partition)
            elif attempt is not None and attempt.is_failure:
                yield self._run(table.key, attempt.said, partition)
            elif attempt is None and self.told.failed and not self.told.failed_steps:
                yield self._run(table.key, self.told.end or "the run ended in the middle", partition)

    def _run(self, about: str, said: str | None, partition: str | None = None) -> Finding:
        """That the run failed for a table, or as a job; or that it went well."""
        return Finding(
            "run_failed", about, said is None, partition=partition, said=said or "", run_id=self.told.run.run_id
        )

    def _partitions(self, table: Table) -> Sequence[str | None]:
        return may_be_about(table, self.told.run.tags, self.told.instance)

    def _quarantine(self) -> Iterator[Finding]:
        for verdict in self.history.of_run(self.told.run.run_id):
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
        """The project's table that an asset belongs to: silver's is that of bronze and of quarantine too."""
        layer, _, name = key.partition("/")
        table = self.project.tables.get(name)
        return table if table is not None and table.is_gold == (layer == "gold") else None

    def _still_fails(self, table: Table, check: str, partition: str | None) -> bool:
        """Whether the table's standing says now that the check fails, whatever this run has judged."""
        found = self.stands(table.key)
        rule = found.rule(check) if found is not None else None
        return rule is not None and rule.fails_in(partition)

    @property
    def _is_own_job(self) -> bool:
        """Whether a run of no table is of a job of ours: launched from here, which has been asked, or called so."""
        return self.told.run.remote_job_origin is not None or self.told.run.job_name in self.jobs


def checks_of(table: Table) -> set[str]:
    """The names of a table's checks, as they are today."""
    return {spec.name for spec in (*check_specs(table), *anomaly_specs(table))}
