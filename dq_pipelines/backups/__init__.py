"""Backs up and restores an installation without its rows: history, state, Dagster's records, the project, the lake's logs.

The rows are in the lake; copy them like any folder or bucket. Rows that `retention` deletes go to `lake.backup`.
"""
