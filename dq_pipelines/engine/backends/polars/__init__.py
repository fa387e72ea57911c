"""Polars, the default backend."""
