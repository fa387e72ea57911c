"""Our own memory of verdicts: it outlives purged runs and deleted batches. Nothing here judges."""
