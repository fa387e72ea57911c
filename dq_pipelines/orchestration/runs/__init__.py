"""Runs of Dagster: their partitions, queue, end and purge."""
