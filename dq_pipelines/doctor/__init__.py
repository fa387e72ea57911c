"""Examines everything that an installation stores; reports findings with remedies and, where safe, repairs."""
