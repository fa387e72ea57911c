"""Reads configuration: YAML files, scalars, the environment; and defines the strict base model."""
