"""Kills: `make chaos` lands seeded files, kills the runs that bring them in, and compares the lake with what must be there."""
