"""Metrics of columns: how they are measured in one pass, and merged without another. Where they are kept: `history.store.metrics`."""
