"""Streams the events of a run to any number of clients."""
