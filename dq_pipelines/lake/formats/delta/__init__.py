"""Delta tables: a folder of Parquet files with a log of commits."""

from dq_pipelines.lake.formats.delta.format import DeltaFormat

#: Found by the registry of formats.
FORMAT = DeltaFormat()

__all__ = ["FORMAT", "DeltaFormat"]
