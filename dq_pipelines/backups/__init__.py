"""Backups of what an installation keeps beside its rows: history, state, Dagster's records, the project, the lake's logs.

The rows themselves lie in the lake, and are copied as any folder or bucket is. What `retention` deletes goes to `lake.backup`.
"""
