"""What a cell of text looks like: a number, a date or time, a mark for a missing value."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[-+(]?\s?[$€£¥]?\s?[-+]?(\d{1,3}([,. ]\d{3})+|\d+)?([.,]\d+)?([eE][-+]?\d+)?\s?[%$€£¥)]?")
_TIME = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{2,4})?[T ]?"
    r"(\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s?([AaPp][Mm])?)?\s?(Z|[-+]\d{2}:?\d{2}|UTC)?"
)
_TYPED = re.compile(
    rf"(?=.*\d)(?:{_NUMBER.pattern}|{_TIME.pattern})|true|false|yes|no|-?nan|-?inf"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    re.IGNORECASE,
)
#: Marks for a value that is not there, or that a laboratory could not find: `n.d.`, `<LOD`, `<0.5`.
_MISSING = re.compile(
    r"[-?.*/\u2013\u2014]*|#?n[./]?[ad]\.?|\(?null\)?|\\n|none|nan|nil|#(null|div/0|value|ref|name|num)[!?]"
    r"|tb[acd]|pending|unknown|missing|not (detected|available|applicable|measured)|b[dq]l|trace"
    r"|[<>]\s?=?\s?([\d.,]+|lo[dq]|m?dl|ql)",
    re.IGNORECASE,
)


def typed(cell: str) -> bool:
    """Whether a cell is a number, a date or time, a truth value or an id: something a name seldom is."""
    return len(cell) < 64 and _TYPED.fullmatch(cell.strip()) is not None


def kind(cell: str) -> str:
    """`number`, `moment` or `word`: what a typed cell is, so that dates over numbers are seen to be names."""
    text = cell.strip()
    if _NUMBER.fullmatch(text):
        return "number"
    return "moment" if _TIME.fullmatch(text) else "word"


def missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return len(cell) < 64 and _MISSING.fullmatch(cell.strip()) is not None
