"""Quotes identifiers and string literals for SQL."""

from __future__ import annotations


def identifier(name: str) -> str:
    """A quoted identifier; the name may have any characters."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted string literal."""
    return "'" + text.replace("'", "''") + "'"
