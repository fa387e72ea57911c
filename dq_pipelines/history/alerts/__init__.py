"""The store of alerts, and of the notifications that channels got."""
