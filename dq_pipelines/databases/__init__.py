"""Databases that tables are read from: connections by name or URL, and a session for each kind of database."""
