"""Suggests rules for codes that lost their leading zeros because a program read them as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from dq_pipelines.config.sql_text import identifier
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import Suggestion, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

_LEAST_ROWS = 200
#: Words in the names of columns with codes.
_CODES = re.compile(
    r"(?:^|[^a-z])(?:zip|zipcode|postal|postcode|plz|fips|ssn|ean|upc|gtin|isbn|iban|bsn|siren|siret|npi|account|tax_?id|phone)"
    r"(?:$|[^a-z])"
)
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: The share of codes of full length (of random codes, 9 of 10 do not begin with 0), and the shortest full length.
_FULL, _SHORTEST = (0.75, 0.995), 4


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if column.inferred_type.kind != "integer" or column.seen < _LEAST_ROWS or not is_code(column.name):
            continue
        if (suggestion := lost_zeros(column)) is not None:
            yield suggestion


def is_code(name: str) -> bool:
    """Whether a column's name says that it holds codes: `billing_zip`, `postalCode`."""
    return _CODES.search(_CAPITAL.sub("_", name).lower()) is not None


def lost_zeros(column: ColumnProfile) -> Suggestion | None:
    """Returns a rule that each code has the usual number of digits; None where shorter codes did not lose zeros."""
    digits = column.values.select(length=pl.col("value").cast(pl.String).str.strip_chars().str.len_chars(), n="count")
    lengths = dict(digits.group_by("length").agg(pl.sum("n")).sort("length").rows())
    longest = max(lengths)
    full, shorter = lengths[longest] / column.seen, lengths.get(longest - 1, 0)
    falls_off = all(lengths.get(length, 0) <= lengths.get(length + 1, 0) for length in range(1, longest))
    if longest < _SHORTEST or not _FULL[0] <= full <= _FULL[1] or not shorter or not falls_off or column.least < 0:
        return None
    short = column.seen - lengths[longest]
    why = (
        f"{percent(short, column.seen)} of the codes have fewer than {longest} digits: a number keeps no leading zeros, "
        f"so read the column as text where it comes from"
    )
    if column.is_text:
        rule = {"type": "expect_column_value_lengths_to_equal", "column": column.name, "value": longest}
        return Suggestion(rule, why, 0.7).broken_by(short, column.seen)
    sql = f"{identifier(column.name)} >= {10 ** (longest - 1)}"
    return Suggestion({"type": "expect_rows_sql", "sql": sql}, why, 0.7).broken_by(short, column.seen)
