"""What every run of a table has in common: its stores, lock, outcome, progress, retries and metrics."""
