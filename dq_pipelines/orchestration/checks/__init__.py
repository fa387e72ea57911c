"""Asset checks and asset metadata for Dagster."""
