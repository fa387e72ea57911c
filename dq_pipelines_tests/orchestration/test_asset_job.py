"""An asset job of ours is the job that Dagster makes of the same selection."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.snap import JobSnap

from dq_pipelines import build_definitions, load_project
from dq_pipelines.orchestration.jobs.asset_job import AssetJob, assets_of
from dq_pipelines.project import Project

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return load_project(ROOT / "assets_config", environment={"DQ_LANDING": str(tmp_path_factory.mktemp("landing"))})


@pytest.fixture(scope="module")
def definitions(project: Project) -> dg.Definitions:
    return build_definitions(project)


def test_each_job_of_the_samples_equals_that_of_dagster(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    jobs = [job for job in definitions.jobs or () if isinstance(job, AssetJob)]
    targets = [target for sensor in repository.sensor_defs for target in sensor.targets]
    targets += [schedule.target for schedule in repository.schedule_defs]
    jobs += [target.job_def for target in targets if target.has_job_def and isinstance(target.job_def, AssetJob)]
    names = {job.name for job in jobs}
    assert names >= {"domain__retail", "table__stock", "checks__sales", "__anonymous_asset_job_sales_arrivals"}, names
    for job in jobs:
        theirs = dg.define_asset_job(job.name, job.selection, description=job.description, tags=job.tags).resolve(
            repository.asset_graph, dg.in_process_executor
        )
        ours = repository.get_job(job.name)
        assert JobSnap.from_job_def(ours) == JobSnap.from_job_def(theirs)
        assert ours.asset_layer.selected_asset_keys == theirs.asset_layer.selected_asset_keys
        assert ours.asset_layer.asset_graph.asset_check_keys == theirs.asset_layer.asset_graph.asset_check_keys


def test_a_job_keeps_its_kind_when_dagster_copies_it(project: Project) -> None:
    """Definitions are copied with metadata when components load them."""
    job = AssetJob("some", assets_of(*project), tags={"a": "b"})
    copied = job.with_metadata({"c": 1})
    assert isinstance(copied, AssetJob)
    assert (copied.tags, copied.run_tags, copied.metadata) == ({"a": "b"}, {"a": "b"}, {"c": 1})


def test_an_asset_that_nothing_defines_is_refused(definitions: dg.Definitions) -> None:
    job = AssetJob("wrong", dg.AssetSelection.assets("silver/none"))
    with pytest.raises(dg.DagsterInvalidSubsetError, match="silver/none"):
        job.resolve(definitions.resolve_asset_graph())
