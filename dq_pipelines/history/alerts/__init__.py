"""Which alerts are open, and what was sent to whom."""
