"""Dagster jobs: selections of tables, and jobs for quarantine, anomalies, maintenance and run records."""
