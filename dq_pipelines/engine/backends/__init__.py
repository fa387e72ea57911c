"""Backends: what judges rules over rows. One folder each, with the same file names; `base` is the protocol, `registry` the list."""
