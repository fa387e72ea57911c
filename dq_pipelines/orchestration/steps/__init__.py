"""The step that runs a table: attempts, progress events, cancellation and failure."""
