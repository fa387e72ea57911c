"""Stores tables in any format: reads, stages and publishes rows, and records consumed batches. Judges no rows."""
