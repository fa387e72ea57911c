"""What the API says of a verdict: the fields that every route with verdicts has."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class VerdictCounts(BaseModel):
    """Which batch a run judged, and what became of its rows."""

    model_config = ConfigDict(from_attributes=True)

    run_id: str
    batch: str = Field(description="Empty where the published table was judged as it stood; `p-…` for a replay.")
    partition: str | None
    rows_in: int
    published: int
    refused: int
    dropped: int
    blocked: bool = Field(description="Whether the rules kept the batch from being published.")
    score: float = Field(description="Quality score in percent.", examples=[98.5])
