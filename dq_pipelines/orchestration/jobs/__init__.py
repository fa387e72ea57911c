"""Jobs: selections of tables, and jobs on quarantine, anomalies, maintenance and run records."""
