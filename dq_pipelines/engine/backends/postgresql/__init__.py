"""PostgreSQL as a backend."""
