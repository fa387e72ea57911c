"""Reads and writes verdicts, attempts, metrics and anomalies in the database."""
