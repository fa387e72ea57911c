"""Protects exported cells against formula injection: a spreadsheet must not compute a text. Every export uses it."""

from __future__ import annotations

import re

#: What begins a formula in Excel, LibreOffice or Google Sheets, also in full width; tabs and ends of lines may be dropped before one
#: (https://owasp.org/www-community/attacks/CSV_Injection).
_BEGINS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_FORMULA = re.compile(rf"'*[{_BEGINS}]")
_GUARDED = re.compile(rf"'+[{_BEGINS}]")
#: A number computes to itself, and people correct numbers.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")


def guarded(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would compute it.

    A text that looks guarded already gets one more apostrophe, so that `unguarded` gives back every text.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def unguarded(text: str) -> str:
    """The inverse of `guarded`."""
    return text[1:] if _GUARDED.match(text) else text
