"""Asset checks and the metadata of assets, as Dagster shows them."""
