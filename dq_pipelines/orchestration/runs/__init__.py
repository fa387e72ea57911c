"""Dagster runs: their partitions, queue, end and purge."""
