"""Builds the OpenLineage events of a run: a job for each table, and one for its checks.

The functions import the package `openlineage` themselves, because it is an optional extra.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dq_pipelines.errors import PublishError
from dq_pipelines.history.queries.sketches import measured_batches
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.orchestration.runs.ended_runs import RunLog, StepTimes
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, Table
from dq_pipelines.transforms.types import name_of

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.generated.base import DatasetFacet, OutputDatasetFacet, RunFacet

#: The producer URI of all events.
PRODUCER = "urn:dq_pipelines"

_QUANTILES = {"p01": "0.01", "p05": "0.05", "p25": "0.25", "p50": "0.5", "p75": "0.75", "p95": "0.95", "p99": "0.99"}


@dataclass(frozen=True)
class Lineage:
    """The lineage of one run of a project."""

    log: RunLog
    project: Project
    stores: Stores
    namespace: str

    def events(self) -> Iterator[RunEvent]:
        """Yields START and COMPLETE, FAIL or ABORT of each job, in order. Ids and times are the same on every call."""
        for table in self.project:
            step = self.log.steps.get(table.name)
            if step is None:
                continue
            if self._assets(table):
                yield from self._work(table, step)
            for verdict in self._verdicts.get(table.key, ()):
                yield from self._checks(table, verdict, step)

    def _work(self, table: Table, step: StepTimes) -> Iterator[RunEvent]:
        """Yields the events of the job that writes the table's layers from its sources and other tables."""
        name = f"{table.domain}.{table.name}"
        inputs, outputs = self._inputs(table), self._outputs(table)
        yield self._event("START", self._job(name, table), self._run(name), step.began_at.isoformat(), inputs, outputs)
        end = {True: "COMPLETE", False: "FAIL", None: "ABORT"}[step.success]
        facets = self._error(table) if step.success is False else {}
        run = self._run(name, facets)
        yield self._event(end, self._job(name, table), run, step.ended_at.isoformat(), inputs, outputs)

    def _checks(self, table: Table, verdict: VerdictRecord, step: StepTimes) -> Iterator[RunEvent]:
        """Yields the events of the job that judges the table. Failed rules do not fail this job."""
        name = f"{table.domain}.{table.name}.checks"
        part = verdict.partition or verdict.batch
        began = verdict.started_at.isoformat()
        for kind, at in (("START", began), ("COMPLETE", max(step.ended_at, verdict.started_at).isoformat())):
            inputs = [self._judged(table, verdict if kind == "COMPLETE" else None)]
            yield self._event(kind, self._job(name), self._run(f"{name}:{part}"), at, inputs, [])

    # --- parts of an event -------------------------------------------------------------------------

    def _event(
        self,
        kind: str,
        job: Job,
        run: Run,
        at: str,
        inputs: Sequence[InputDataset],
        outputs: Sequence[OutputDataset],
    ) -> RunEvent:
        from openlineage.client.event_v2 import RunEvent, RunState

        state: RunState = RunState[kind]
        return RunEvent(
            eventType=state,
            eventTime=at,
            run=run,
            job=job,
            inputs=list(inputs),
            outputs=list(outputs),
            producer=PRODUCER,
        )

    def _run(self, name: str, facets: Mapping[str, RunFacet] | None = None) -> Run:
        """Returns an OpenLineage run: one job within a Dagster run, which is its parent."""
        from openlineage.client.event_v2 import Run
        from openlineage.client.facet_v2 import parent_run

        run = self.log.run
        parent = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=run.run_id), job=parent_run.Job(namespace=self.namespace, name=run.job_name)
        )
        return Run(runId=str(uuid.uuid5(uuid.UUID(run.run_id), name)), facets={"parent": parent, **(facets or {})})

    def _job(self, name: str, table: Table | None = None) -> Job:
        from openlineage.client.event_v2 import Job
        from openlineage.client.facet_v2 import documentation_job, job_type_job, sql_job

        kind = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="DAGSTER", jobType="ASSET")
        facets: dict[str, Any] = {"jobType": kind}
        if table is not None and table.model.description:
            facets["documentation"] = documentation_job.DocumentationJobFacet(table.model.description)
        if table is not None and table.is_gold and table.gold.sql is not None:
            facets["sql"] = sql_job.SQLJobFacet(query=table.gold.sql, dialect="duckdb")
        return Job(namespace=self.namespace, name=name, facets=facets)

    def _error(self, table: Table) -> dict[str, RunFacet]:
        from openlineage.client.facet_v2 import error_message_run

        message = self.log.failed_steps.get(table.name, "")
        return {"errorMessage": error_message_run.ErrorMessageRunFacet(message=message, programmingLanguage="python")}

    # --- tables ------------------------------------------------------------------------------------

    def _inputs(self, table: Table) -> list[InputDataset]:
        from openlineage.client.event_v2 import InputDataset

        uris = [self._uri(key) for key in table.upstream]
        if not table.is_gold and (path := getattr(table.landed.source, "path", None)):
            uris.insert(0, str(path))
        return [InputDataset(*dataset_of(uri)) for uri in uris]

    def _outputs(self, table: Table) -> list[OutputDataset]:
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

        outputs = []
        for key in self._assets(table):
            name = "refused" if key.startswith("quarantine/") else "published"
            materializations = self.log.materializations.get(key, [])
            rows = [metadata[name] for metadata in materializations if isinstance(metadata.get(name), int)]
            counted: dict[str, OutputDatasetFacet] = {}
            if rows:
                counted["outputStatistics"] = statistics.OutputStatisticsOutputDatasetFacet(rowCount=sum(rows))
            facets = self._schema(table, key) if key in self.log.materialized else {}
            dataset = dataset_of(self._uri(key))
            outputs.append(OutputDataset(*dataset, facets=facets, outputFacets=counted))
        return outputs

    def _judged(self, table: Table, verdict: VerdictRecord | None) -> InputDataset:
        """Returns the published table as a dataset, with its rule results and column metrics (None: without)."""
        from openlineage.client.event_v2 import InputDataset
        from openlineage.client.facet_v2 import data_quality_assertions_dataset as assertions
        from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as metrics

        dataset, facets = dataset_of(self._uri(table.key)), self._schema(table, table.key)
        if verdict is None:
            return InputDataset(*dataset, facets=facets)
        columns = {each.column: metrics.ColumnMetrics(**_column_metrics(each)) for each in self._columns(verdict)}
        of_rules = [assertions.Assertion(**_assertion(result)) for result in verdict.results]
        quality: dict[str, Any] = {
            "dataQualityMetrics": metrics.DataQualityMetricsInputDatasetFacet(columns, rowCount=verdict.rows_in),
            "dataQualityAssertions": assertions.DataQualityAssertionsDatasetFacet(of_rules),
        }
        return InputDataset(*dataset, facets=facets, inputFacets=quality)

    def _schema(self, table: Table, key: str) -> dict[str, DatasetFacet]:
        """Returns the current columns of a table as a facet; {} where there is no table."""
        from openlineage.client.facet_v2 import schema_dataset

        try:
            columns = self.stores.lake.table(key).scan().collect_schema()
        except PublishError:
            return {}
        declared = {} if table.is_gold or not key.startswith("silver/") else table.landed.silver.columns
        descriptions = {name: column.description for name, column in declared.items()}
        fields = [
            schema_dataset.SchemaDatasetFacetFields(name, name_of(dtype), descriptions.get(name))
            for name, dtype in columns.items()
        ]
        return {"schema": schema_dataset.SchemaDatasetFacet(fields)}

    def _columns(self, verdict: VerdictRecord) -> Sequence[ColumnMetrics]:
        at = verdict.started_at
        batches = measured_batches(
            self.stores.history, verdict.table, partition=verdict.partition, since=at, until=at, including=verdict.batch
        )
        return next((batch.columns for batch in batches if batch.batch == verdict.batch), ())

    def _assets(self, table: Table) -> list[str]:
        """Returns the assets of the table that the run planned to materialize."""
        return [key for key in table.assets if key in self.log.planned]

    def _uri(self, key: str) -> str:
        return self.stores.lake.table(key).uri

    @cached_property
    def _verdicts(self) -> dict[str, list[VerdictRecord]]:
        by_table: dict[str, list[VerdictRecord]] = {}
        for verdict in self.stores.history.of_run(self.log.run.run_id):
            by_table.setdefault(verdict.table, []).append(verdict)
        return by_table


def dataset_of(uri: str) -> tuple[str, str]:
    """Returns OpenLineage's namespace and name of a path or URI: `file` and a path, or `s3://bucket` and a key."""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme == "file":
        return "file", str(Path(rest if separator else uri).absolute())
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


def _assertion(result: ResultRecord) -> dict[str, Any]:
    """Returns a rule result as the fields of an assertion."""
    if result.error is not None or result.unexpected_count is None:
        actual = result.error or (None if result.observed_value is None else str(result.observed_value))
    else:
        actual = f"{result.unexpected_count} of {result.element_count} rows fail"
    return {
        "assertion": result.rule,
        "success": result.success,
        "column": result.column,
        "severity": "error" if result.severity == "critical" else "warn",
        "name": result.check,
        "actual": actual,
    }


def _column_metrics(column: ColumnMetrics) -> dict[str, Any]:
    """Returns a column's metrics as fields of the facet, without infinite values, which JSON cannot hold."""
    numbers = {"min": column.min, "max": column.max}
    quantiles = {share: getattr(column, name) for name, share in _QUANTILES.items()}
    return {
        "nullCount": column.null_count,
        "count": column.count - column.null_count,
        "distinctCount": None if column.distinct_count is None else round(column.distinct_count),
        **_finite(numbers),
        "quantiles": _finite(quantiles),
    }


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
