"""Queries in YAML, which may only read."""

from __future__ import annotations

from dq_pipelines.errors import SourceError


def one_query(text: str, dialect: str) -> str:
    """A query that can stand in FROM. Raises SourceError for anything but one SELECT."""
    import sqlglot
    from sqlglot import exp

    try:
        statements = [one for one in sqlglot.parse(text, dialect=dialect) if one is not None]
    except sqlglot.errors.SqlglotError as error:
        raise SourceError(f"query: wanted one SELECT, got: {str(error).splitlines()[0]}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise SourceError(f"query: wanted one SELECT, got {len(statements)} statements" if len(statements) != 1 else
                          f"query: wanted one SELECT, got {statements[0].key.upper()}")  # fmt: skip
    return text.strip().rstrip(";")
