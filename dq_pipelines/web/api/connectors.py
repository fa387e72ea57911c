"""What a job can be made of: sources, sinks, engines. All of it is said by the models themselves."""

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
    """One kind of `source:`."""

    type: str = Field(examples=["csv"])
    description: str
    example: dict[str, Any] = Field(examples=[{"type": "csv", "path": "${DQ_LANDING}/orders/*"}])
    json_schema: dict[str, Any] = Field(description="Of everything that stands under `source:`.")


class SinkKind(BaseModel):
    """Where a job's rows go."""

    layer: Literal["silver", "gold"]
    format: Literal["delta"] = "delta"
    description: str
    writes: Sequence[str] = Field(description="How a batch becomes part of the table.")
    said: str = Field(description="Which of them it is.")


class EngineKind(BaseModel):
    """What judges rules."""

    name: str = Field(examples=["polars"])
    description: str


class Connectors(BaseModel):
    """What a job can be made of."""

    sources: Sequence[SourceKind]
    sinks: Sequence[SinkKind]
    engines: Sequence[EngineKind]


@router.get(
    "/connectors",
    summary="What a job can be made of: sources with their schemas, sinks, engines",
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
    said = remarks(Silver)["write"]
    write = next(part for part in get_args(Silver.model_fields["write"].annotation) if get_args(part))
    sinks = [
        SinkKind(layer="silver", description=prose(LandedTable), writes=get_args(write), said=said),
        SinkKind(layer="gold", description=prose(GoldTable), writes=["overwrite"], said="computed anew each time"),
    ]
    engines = [
        EngineKind(name=name, description=inspect.cleandoc(backend_class(name).__doc__ or "").partition("\n\n")[0])
        for name in BACKENDS
    ]
    return Connectors(sources=sources, sinks=sinks, engines=engines)
