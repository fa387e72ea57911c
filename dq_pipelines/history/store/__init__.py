"""Verdicts, attempts, metrics and anomalies as they are written to the database."""
