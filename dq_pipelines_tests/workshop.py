"""A small project that a test writes as text, and runs through Dagster itself.

Nothing is pretended: files land in a folder, the lake is Delta on disk, runs are Dagster's own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from deltalake import DeltaTable

from dq_pipelines.assembly import build_definitions
from dq_pipelines.config.columns import exact_names
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import Project, load_project
from dq_pipelines.security.state import State

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, repr=False)
class Ran:
    """What one Dagster run did, as its event log tells it."""

    result: dg.ExecuteInProcessResult

    def __repr__(self) -> str:
        return f"<ran {self.failures}>"

    @property
    def success(self) -> bool:
        """Whether the run went well; a step that ended in an error that nobody meant fails the test here."""
        return not self.failures and self.result.success

    @property
    def run_id(self) -> str:
        return self.result.run_id

    @cached_property
    def materialized(self) -> dict[str, dict[str, Any]]:
        """Metadata by asset, for those that were materialized."""
        found = {}
        for event in self.result.get_asset_materialization_events():
            materialization = event.step_materialization_data.materialization
            key = materialization.asset_key.to_user_string()
            found[key] = {name: value.value for name, value in materialization.metadata.items()}
        return found

    @cached_property
    def checks(self) -> dict[str, dg.AssetCheckEvaluation]:
        """Evaluations by `<layer>/<table>:<check>`."""
        found = self.result.get_asset_check_evaluations()
        return {f"{one.asset_key.to_user_string()}:{one.check_name}": one for one in found}

    def unexpected(self) -> dict[str, int]:
        """By check, the failing rows that it counted; only where there are any."""
        return {name: count for name in self.checks if (count := self.number(name, "unexpected_count"))}

    def number(self, check: str, name: str) -> Any:
        """One entry of a check's metadata, or None."""
        value = self.checks[check].metadata.get(name)
        return None if value is None else value.value

    @cached_property
    def failures(self) -> dict[str, str]:
        """What each failed step said to people, by step."""
        return {event.step_key or "": _said(event) for event in self.result.all_events if event.is_step_failure}

    @property
    def started(self) -> set[str]:
        return {event.step_key or "" for event in self.result.all_events if event.is_step_start}

    @property
    def retried(self) -> set[str]:
        return {event.step_key or "" for event in self.result.all_events if event.is_step_up_for_retry}


def _said(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.error is not None and failure.error.cls_name == "DagsterAssetCheckFailedError":
        return failure.error.message
    if failure.user_failure_data is None or failure.user_failure_data.description is None:
        what = f"{event.step_key} ended in an error that nobody meant"
        raise AssertionError(f"{what}: {failure.error_display_string}")
    return failure.user_failure_data.description


@dataclass
class Workshop:
    """A project, a landing folder, a lake, a history and a Dagster instance under one folder."""

    root: Path
    #: Dagster's records; an instance of the test's own where none is given
    given: dg.DagsterInstance | None = None

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """Made when it is first asked for, and closed by whoever asks: `with shop.instance`."""
        return self.given or dg.DagsterInstance.ephemeral()

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @cached_property
    def stores(self) -> Stores:
        return Stores(Lake.at(str(self.root / "lake")), History(f"sqlite:///{self.root / 'history.db'}"))

    @property
    def state(self) -> State:
        """Users, keys and the audit log of this project."""
        return State.at(self.root / "state")

    @property
    def lake(self) -> Lake:
        return self.stores.lake

    @property
    def history(self) -> History:
        return self.stores.history

    # --- what a person writes ---------------------------------------------------------------------

    def table(self, name: str, text: str, domain: str = "shop") -> None:
        """Write a table's YAML; `{landing}` in it is the landing folder."""
        path = self.root / "assets_config" / domain / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).replace("{landing}", str(self.landing)), encoding="utf-8")

    def land(self, name: str, content: str | bytes) -> Path:
        """Lay a file into the landing folder."""
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    # --- what Dagster makes of it -----------------------------------------------------------------

    @property
    def project(self) -> Project:
        return load_project(self.root / "assets_config", environment={})

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.project, stores=self.stores)

    def run(
        self,
        *keys: str,
        partition: str | None = None,
        mode: str | None = None,
        tags: Mapping[str, str] | None = None,
        checks: Sequence[str] | None = None,
    ) -> Ran:
        """Run the assets of these keys (all three layers of a bare table name; everything when none are given).

        `mode` goes into the run configuration of every landed table; `checks` are `<key>:<check>`, run beside
        `keys`, instead of all checks of the assets.
        """
        definitions = self.definitions
        job = definitions.resolve_implicit_global_asset_job_def()
        config: dict[str, Any] = dict(_QUIET)
        selection = self._selection(keys)
        if mode is not None:
            names = {key.path[-1] for key in selection or definitions.resolve_asset_graph().get_all_asset_keys()}
            config["ops"] = {
                name: {"config": {"mode": mode}} for name in names if not self.project.tables[name].is_gold
            }
        if checks is not None:
            wanted = {
                dg.AssetCheckKey(dg.AssetKey(key.split("/")), name) for key, name in (c.split(":") for c in checks)
            }
            job = job.get_subset(asset_selection=set(selection), asset_check_selection=wanted)
            selection = []
        result = job.execute_in_process(
            instance=self.instance,
            asset_selection=selection or None,
            partition_key=partition,
            run_config=config,
            tags=dict(tags or {}),
            raise_on_error=False,
        )
        return Ran(result)

    def run_job(
        self,
        name: str,
        partition: str | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a job; `config` is that of its one op."""
        job = self.definitions.resolve_job_def(name)
        told = {"ops": {f"{name}_rows": {"config": dict(config)}}} if config is not None else {}
        result = job.execute_in_process(
            instance=self.instance,
            partition_key=partition,
            run_config=_QUIET | told,
            tags=dict(tags or {}),
            raise_on_error=False,
        )
        return Ran(result)

    def _selection(self, keys: Sequence[str]) -> list[dg.AssetKey]:
        found = []
        for key in keys:
            if "/" in key:
                found.append(dg.AssetKey(key.split("/")))
            elif self.project.tables[key].is_gold:
                found.append(dg.AssetKey(["gold", key]))
            else:
                found.extend(dg.AssetKey([layer, key]) for layer in ("bronze", "silver", "quarantine"))
        return found

    def tick(self, sensor: str) -> dg.SensorResult | dg.SkipReason:
        """One evaluation of a sensor; its new partitions are added, as the daemon would."""
        with dg.build_sensor_context(instance=self.instance) as context:
            said = self.definitions.resolve_sensor_def(sensor)(context)
        assert isinstance(said, dg.SensorResult | dg.SkipReason)
        if isinstance(said, dg.SensorResult):
            for request in said.dynamic_partitions_requests or ():
                self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        return said

    # --- what lies in the lake afterwards ---------------------------------------------------------

    def rows(self, key: str, *columns: str) -> list[Any]:
        """The published rows, sorted: of one column its values, of several tuples, of none dictionaries."""
        if not self.lake.table(key).exists:
            return []
        frame = self.lake.table(key).scan().collect()
        if len(columns) == 1:
            return sorted(frame[columns[0]].to_list(), key=repr)
        if columns:
            return sorted(frame.select(exact_names(columns)).rows(), key=repr)
        return sorted(frame.to_dicts(), key=repr)

    def refused(self, table: str) -> list[tuple[str, str | None, str | None]]:
        """Every reason in a quarantine: rule, column, value."""
        reasons = [reason for reasons in self.rows(f"quarantine/{table}", "_reasons") for reason in reasons]
        return sorted(((r["rule"], r["column"], r["value"]) for r in reasons), key=repr)

    def versions(self) -> dict[str, int]:
        """The version of every table of the lake."""
        keys = self.lake.keys() if (self.root / "lake").exists() else []
        return {key: self.lake.table(key).snapshot().version for key in keys}

    def leftovers(self) -> list[str]:
        """Data files of the lake that no commit has named, and folders that hold nothing."""
        return leftovers(self.root / "lake")


def delta_of(table: LakeTable) -> DeltaTable:
    """A table as delta-rs has it, for tests that do to it what none of our code does."""
    return DeltaTable(table.uri)


def leftovers(root: Path) -> list[str]:
    """Data files of a lake that the latest version of their table does not name, nor any earlier one."""
    found = []
    for table in root.glob("*/*"):
        if not table.is_dir() or table.parent.name.startswith("."):  # what `dq doctor` has moved away is no table
            continue
        named = "".join(log.read_text(encoding="utf-8") for log in (table / "_delta_log").glob("*.json"))
        for path in table.rglob("*"):
            inner = path.relative_to(table)
            if inner.parts[0] == "_delta_log":
                continue
            if path.is_dir() and not any(path.iterdir()):
                found.append(f"{path.relative_to(root)}/")
            # The log writes paths as URIs; the last folder and file of a path hold nothing to be quoted. What a
            # merge writes lies in the table's own folder, or in that of the partition.
            own = path.parent == table or "=" in path.parent.name
            if path.is_file() and (path.name if own else f"{path.parent.name}/{path.name}") not in named:
                found.append(str(path.relative_to(root)))
    return sorted(found)


def content(frame: pl.DataFrame, *without: str) -> list[dict[str, Any]]:
    """A frame's rows in an order of their own, for comparing two of them."""
    return sorted(frame.drop(without, strict=False).to_dicts(), key=repr)


def at_once(work: TableRun) -> TableRun:
    """The same work, begun now: what lands later is to be told from what landed before."""
    return replace(work, now=datetime.now(UTC))
