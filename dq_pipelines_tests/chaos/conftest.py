"""Projects that a test writes and runs."""

from dq_pipelines_tests.layers.conftest import shop

__all__ = ["shop"]
