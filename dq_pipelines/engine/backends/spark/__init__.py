"""Spark as a backend, classic or by Spark Connect."""
