"""Dagster sensors: arrivals, alerts, lineage, and retries of killed runs."""
