"""Profiles data: counts and bounds from one pass over all rows, structure from a sample."""

from dq_pipelines.monitoring.profile.column import ColumnProfile, Lengths, Profile
from dq_pipelines.monitoring.profile.scan import profile

__all__ = ["ColumnProfile", "Lengths", "Profile", "profile"]
