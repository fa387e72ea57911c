"""What backends with a query engine of their own share (DuckDB, Spark, PostgreSQL)."""
