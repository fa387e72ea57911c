"""The Dagster step that runs a table: attempts, progress events, cancellation and failures."""
