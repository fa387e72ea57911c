"""Judging a batch and publishing what was kept: incremental runs, reruns, merge keys and commits."""
