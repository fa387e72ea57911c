"""SQL over one row: an expression that reads no table and no file, and is no longer than a parser takes.

Polars reads the tables of a subquery while it parses an expression, and its parser ends the whole process on one of
thousands of terms. So this is asked before it parses, by the text alone: no two parsers agree on what is quoted.
"""

from __future__ import annotations

import re

#: Words and signs but for the items of lists; Polars' parser overflows its stack at some 8,000.
MOST_TERMS = 2_000
_TERM = re.compile(r"\w+|[^\w\s]")
_ITEM = re.compile(r"(?:'[^']*'|[\w.+-]+)\s*,")
#: Polars reads files and addresses by such functions, however their names are quoted.
_READS_FILES = re.compile(r"\bread_(?:csv|ipc|json|ndjson|parquet|avro|delta|text|blob)\w*", re.IGNORECASE)
_BEGINS_QUERY = re.compile(r"\(\s*(?:select|from|table|values|with)\b", re.IGNORECASE)


def beyond_the_row(sql: str) -> str | None:
    """What of an expression reads more than the row, or is too much for a parser; None for nothing."""
    if found := _READS_FILES.search(sql):
        return f"{found[0]}, which reads files"
    if _BEGINS_QUERY.search(sql):
        return "a subquery"
    if sum(1 for _ in _TERM.finditer(_ITEM.sub("", sql))) > MOST_TERMS:
        return f"more than {MOST_TERMS:,} words and signs"
    return None
