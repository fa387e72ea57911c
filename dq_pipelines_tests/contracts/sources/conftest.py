"""The S3 server of the remote tests, for inputs that lie in a store."""

from dq_pipelines_tests.remote.conftest import s3, s3_server

__all__ = ["s3", "s3_server"]
