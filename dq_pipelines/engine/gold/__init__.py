"""Gold is computed: SQL by DuckDB or a Python function, each value exact or refused."""
