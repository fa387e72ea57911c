"""SQL over one row: an expression that reads no table and no file.

Polars reads the files of a subquery when it parses an expression, so this is asked before it does.
"""

from __future__ import annotations

import re

#: Whatever a parser makes of it: Polars reads files and addresses by such functions.
_READS_FILES = re.compile(
    r"\bread_(?:csv|ipc|json|ndjson|parquet|avro|delta|text|blob)\w*[\"`\]]?\s*(?:\(|/\*|--)", re.IGNORECASE
)


def beyond_the_row(sql: str) -> str | None:
    """What of an expression reads more than the row: a subquery, or a function that reads files; None for nothing."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    if found := _READS_FILES.search(sql):
        return found[0].rstrip("(/*- ")
    try:
        kinds = {token.token_type.name for token in sqlglot.tokenize(sql, read="postgres")}
    except SqlglotError:
        kinds = {"SELECT"} if re.search(r"\bselect\b", sql, re.IGNORECASE) else set()
    return "a subquery" if "SELECT" in kinds else None
