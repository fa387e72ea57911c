"""Which row of a sheet has the names of its columns, below titles and notes."""

from __future__ import annotations

import pytest

from dq_pipelines.monitoring.suggestions.sheets import SheetRow, header_row

_BODY = ["1|a|2.5|x", "2|b|3.5|y", "3|c|4.5|z"]


def rows(*lines: str) -> list[SheetRow]:
    return [SheetRow(number, tuple(line.split("|"))) for number, line in enumerate(lines, 1) if line]


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        (["id|name|price|kind", *_BODY], 1),
        (["Stock of the yard|||", "", "id|name|price|kind", *_BODY], 3),
        (["Stock||2026-11-01|", "by|ann||", "id|name|price|kind", *_BODY], 3),
        (["Report|||", "id|name||kind", *_BODY], 2),  # a column without a name
        (["id|name|price|kind", "1||2.5|", "2|||", "3|c|4.5|z", "4|d|5.5|y", "5|e|6.5|x"], 1),  # with gaps
        (["id|name|price|kind", *_BODY, "Total||10.5|", "printed by ann|||"], 1),
        (_BODY, None),  # no names at all
        (["Title|||", *_BODY], None),
        (["2024|2025|2026|2027", *_BODY], None),  # numbers are no names, as far as can be seen
        (["Only a title|||"], None),
        ([], None),
        (["name|city", "ann|rome", "bob|oslo"], 1),
    ],
)
def test_the_row_of_the_names_is_found_or_left_open(lines: list[str], header: int | None) -> None:
    assert header_row(rows(*lines)) == header
