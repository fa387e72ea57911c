"""Measures metrics of columns in one pass, and merges them later without reading the rows again."""
