"""DuckDB as a backend."""
