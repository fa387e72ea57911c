"""What data look like: one pass for the numbers, a sample for their structure. What follows from it belongs in `suggestions`."""

from dq_pipelines.monitoring.profile.column import ColumnProfile, Lengths, Profile
from dq_pipelines.monitoring.profile.scan import profile

__all__ = ["ColumnProfile", "Lengths", "Profile", "profile"]
