"""All Dagster definitions: assets, checks, steps, jobs, sensors, schedules and runs."""
