"""Every table format means the same: each verb, each kill, each storm of writers."""
