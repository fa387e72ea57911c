"""The web gateway: authentication, the REST API, the dashboard, metrics, and Dagster's UI."""
