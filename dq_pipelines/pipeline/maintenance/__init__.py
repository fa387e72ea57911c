"""What happens to rows that lie: retention, restore, compaction and erasure."""
