"""Builds the metadata, tags, kinds and column lineage of assets and materializations."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from dagster_shared.utils.warnings import BetaWarning

from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.project import GoldTable, LandedTable, Table
from dq_pipelines.project.column_lineage import column_origins
from dq_pipelines.sources import PassedOver
from dq_pipelines.sources.base import LEFT_OUT, FileReport
from dq_pipelines.sources.names import Rename
from dq_pipelines.transforms.types import name_of

_SHOWN_SOURCES = 20


def spec_metadata(table: Table) -> dict[str, Any]:
    """Returns the code reference to the table's YAML file."""
    if not table.file:
        return {}
    with warnings.catch_warnings():
        # Code references are in beta. A user cannot act on the warning.
        warnings.simplefilter("ignore", BetaWarning)
        reference = dg.LocalFileCodeReference(file_path=str(Path(table.file).absolute()), label=table.file)
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}


def declared_schema(table: Table) -> dict[str, Any]:
    """Returns the column schema that the YAML declares, with descriptions."""
    if not isinstance(table.model, LandedTable) or not table.model.silver.columns:
        return {}
    columns = [
        dg.TableColumn(name, column.type, description=column.description)
        for name, column in table.model.silver.columns.items()
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def tags(table: Table) -> dict[str, str]:
    """Returns the asset tags: the domain, and the table's own tags."""
    return {"dq/domain": table.domain, **table.model.tags}


def kinds(table: Table, layer: str) -> set[str]:
    """Returns the asset kinds of one layer: storage, and the engine or the source type."""
    if isinstance(table.model, GoldTable):
        return {"delta", "python" if table.model.gold.python else "duckdb"}
    return {"bronze": {str(table.model.source.type), "delta"}, "silver": {"polars", "delta"}}.get(layer, {"delta"})  # type: ignore[attr-defined]


def published_metadata(table: Table, outcome: Outcome, published: LakeTable, score: float) -> dict[str, Any]:
    """Returns the metadata of a silver or gold materialization: the batch's counts and the table's current state.

    `score` is the quality score in percent.
    """
    counts = outcome.counts
    metadata: dict[str, Any] = {
        "rows_in": counts.rows_in,
        "published": counts.published,
        "refused": counts.refused,
        "dropped": counts.dropped,
        "quality_score": round(score, 3),
        "duration_seconds": round(outcome.seconds, 3),
        "batch": outcome.batch,
        "dagster/row_count": published.rows(),
        "dagster/column_schema": _schema(outcome.schema, table),
        "dagster/uri": published.uri,
        "preview": dg.MetadataValue.md(markdown(outcome.preview)),
    }
    if outcome.partition is not None:
        metadata["dagster/partition_row_count"] = counts.published
    if outcome.sources:
        metadata["source_files"] = dg.MetadataValue.json(list(outcome.sources[:_SHOWN_SOURCES]))
        metadata["source_file_count"] = len(outcome.sources)
    if counts.unreadable:
        metadata["unreadable_lines"] = counts.unreadable
    if outcome.miscast:
        metadata["failed_casts"] = dg.MetadataValue.json(dict(outcome.miscast))
    if sentence := outcome.orphans.sentence(outcome.table):
        metadata |= {"orphans": outcome.orphans.rows, "orphans_said": sentence}
    return metadata


def landed_metadata(
    files: Sequence[FileReport], passed_over: Sequence[PassedOver], renamed: Sequence[Rename] = ()
) -> dict[str, Any]:
    """Returns the metadata of a bronze materialization: line counts of the landed files, and lines that are no record."""
    metadata: dict[str, Any] = {}
    if files:
        counts = {name: sum(getattr(file, name) for file in files) for name in LEFT_OUT}
        metadata |= {
            "lines_in_files": sum(file.lines for file in files),
            "records_in_files": sum(file.records for file in files),
            **{f"{name}_lines": count for name, count in counts.items()},
        }
        listed = [
            {"file": file.source, "encoding": file.encoding.encoding, "lines": file.lines, "records": file.records}
            | {name: getattr(file, name) for name in LEFT_OUT}
            for file in files[:_SHOWN_SOURCES]
        ]
        metadata["files"] = dg.MetadataValue.json(listed)
    if passed_over:
        metadata["passed_over"] = dg.MetadataValue.json([member.uri for member in passed_over[:_SHOWN_SOURCES]])
        metadata["passed_over_count"] = len(passed_over)
    if renamed:
        metadata["renamed_columns"] = dg.MetadataValue.json(_by_name(renamed))
    return metadata


def _by_name(renamed: Sequence[Rename]) -> dict[str, str | list[str]]:
    """Returns the new column name by the name in the file; a list where several columns had the same name."""
    names_by_landed: dict[str, list[str]] = {}
    for landed, name in renamed:
        names_by_landed.setdefault(landed, []).append(name)
    return {landed: names[0] if len(names) == 1 else names for landed, names in names_by_landed.items()}


def _schema(schema: Mapping[str, pl.DataType], table: Table) -> dg.TableSchema:
    declared = table.model.silver.columns if isinstance(table.model, LandedTable) else {}
    return dg.TableSchema(
        [
            dg.TableColumn(name, name_of(dtype), description=declared[name].description if name in declared else None)
            for name, dtype in schema.items()
        ]
    )


def markdown(rows: pl.DataFrame) -> str:
    """Renders a few rows as a Markdown table; each cell is one line of at most 60 characters."""
    if not rows.width:
        return "no columns"
    lines = [[_cell(value) for value in row] for row in rows.rows()]
    table = [list(rows.columns), ["---"] * rows.width, *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= 60 else f"{text[:57]}..."


def silver_lineage(table: Table, schema: Mapping[str, pl.DataType]) -> dg.TableColumnLineage:
    """Returns the lineage of silver columns from bronze columns."""
    return _lineage(column_origins(table, list(schema), {}))


def gold_lineage(table: Table, schemas: Mapping[str, list[str]]) -> dg.TableColumnLineage | None:
    """Returns the lineage of gold columns, derived from the SQL; None for a Python function."""
    from dq_pipelines.project.sql import lineage

    if not isinstance(table.model, GoldTable) or table.model.gold.sql is None:
        return None
    return _lineage(lineage(table.model.gold.sql, schemas))


def _lineage(origins_by_column: Mapping[str, Sequence[tuple[str, str]]]) -> dg.TableColumnLineage:
    deps = {
        name: [dg.TableColumnDep(asset_key=asset_key(key), column_name=column) for key, column in origins]
        for name, origins in origins_by_column.items()
    }
    return dg.TableColumnLineage(deps_by_column=deps)
