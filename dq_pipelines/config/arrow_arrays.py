"""Makes Polars series of pyarrow's arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


def series_of(array: pa.Array, name: str = "") -> pl.Series:
    """The values of an Arrow array.

    Through Arrow's C interface: for an array of pyarrow's own type, Polars imports `pyarrow.compute`, which takes 30 ms.
    """
    import polars as pl

    return pl.Series(_ArrowArray(array)).alias(name)


@dataclass(frozen=True)
class _ArrowArray:
    array: pa.Array

    def __arrow_c_array__(self, requested_schema: object | None = None) -> Any:
        return self.array.__arrow_c_array__(requested_schema)
