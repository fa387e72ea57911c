"""Lists the sources, sinks and engines for jobs, described by their own models."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, get_args

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from dq_pipelines.config.remarks import prose, remarks
from dq_pipelines.engine.backends.registry import BACKENDS, backend_class
from dq_pipelines.project import GoldTable, LandedTable, Silver
from dq_pipelines.project.schema import schema_of
from dq_pipelines.security.roles import Permission
from dq_pipelines.sources import source_classes
from dq_pipelines.web.api.dependencies import somewhere

router = APIRouter(tags=["jobs"])


class SourceKind(BaseModel):
    """A type of `source:`."""

    type: str = Field(examples=["csv"])
    description: str
    example: dict[str, Any] = Field(examples=[{"type": "csv", "path": "${DQ_LANDING}/orders/*"}])
    json_schema: dict[str, Any] = Field(description="The JSON Schema of the `source:` section.")


class SinkKind(BaseModel):
    """A layer to which a job writes rows."""

    layer: Literal["silver", "gold"]
    format: Literal["delta"] = "delta"
    description: str
    writes: Sequence[str] = Field(description="The possible ways to write a batch.")
    said: str = Field(description="How the way is chosen.")


class EngineKind(BaseModel):
    """An engine that judges rules."""

    name: str = Field(examples=["polars"])
    description: str


class Connectors(BaseModel):
    """The sources, sinks and engines for jobs."""

    sources: Sequence[SourceKind]
    sinks: Sequence[SinkKind]
    engines: Sequence[EngineKind]


@router.get(
    "/connectors",
    summary="The sources (with their schemas), sinks and engines for jobs",
    operation_id="connectors",
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def connectors() -> Connectors:
    return _connectors()


@cache
def _connectors() -> Connectors:
    sources = [
        SourceKind(
            type=name,
            description=prose(source),
            example={"type": name, **source.example},
            json_schema=schema_of(source),
        )
        for name, source in source_classes().items()
    ]
    choice = remarks(Silver)["write"]
    write = next(part for part in get_args(Silver.model_fields["write"].annotation) if get_args(part))
    sinks = [
        SinkKind(layer="silver", description=prose(LandedTable), writes=get_args(write), said=choice),
        SinkKind(layer="gold", description=prose(GoldTable), writes=["overwrite"], said="computed again by each run"),
    ]
    engines = [
        EngineKind(name=name, description=inspect.cleandoc(backend_class(name).__doc__ or "").partition("\n\n")[0])
        for name in BACKENDS
    ]
    return Connectors(sources=sources, sinks=sinks, engines=engines)
