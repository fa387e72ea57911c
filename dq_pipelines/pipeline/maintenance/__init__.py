"""Maintains published rows: retention, restore, compaction and erasure."""
