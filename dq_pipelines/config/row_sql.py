"""Checks that SQL over one row reads no table or file, and is short enough for the parser.

Polars reads the tables of a subquery while it parses an expression, and its parser crashes the process on
thousands of terms. So the check runs before parsing, on the raw text; parsers disagree on what is quoted.
"""

from __future__ import annotations

import re

#: Words and signs, without the items of lists; the parser of Polars overflows its stack at some 8,000.
MOST_TERMS = 2_000
_TERM = re.compile(r"\w+|[^\w\s]")
_ITEM = re.compile(r"(?:'[^']*'|[\w.+-]+)\s*,")
#: Polars reads files and URLs by such functions, with quoted names too.
_READS_FILES = re.compile(r"\bread_(?:csv|ipc|json|ndjson|parquet|avro|delta|text|blob)\w*", re.IGNORECASE)
_BEGINS_QUERY = re.compile(r"\(\s*(?:select|from|table|values|with)\b", re.IGNORECASE)


def beyond_the_row(sql: str) -> str | None:
    """What makes an expression read more than the row, or too long for the parser; None if it is fine."""
    if found := _READS_FILES.search(sql):
        return f"{found[0]}, which reads files"
    if _BEGINS_QUERY.search(sql):
        return "a subquery"
    if sum(1 for _ in _TERM.finditer(_ITEM.sub("", sql))) > MOST_TERMS:
        return f"more than {MOST_TERMS:,} words and signs"
    return None
