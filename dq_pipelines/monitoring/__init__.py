"""What is told about tables beyond their rules: contracts, metrics, anomalies, alerts. Judging rows belongs in `engine`."""
