"""Sensors: arrivals, alerts, lineage, repeats of killed runs."""
