"""Sources that are databases: real servers, read through the source and through Dagster."""
