"""Profiles, rule suggestions, data contracts, metrics, anomalies and alerts."""
