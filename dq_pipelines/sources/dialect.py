"""Which characters make a file's table: delimiter, quote, escape, where it starts. Headers are `header.py`'s.

Every guess is made from the first lines and can be told instead. A wrong guess loses nothing: what does not
fit it becomes unreadable, with its line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dq_pipelines.sources.records import Grammar, mend

#: In order of preference when they explain a file equally well.
DELIMITERS = (",", ";", "\t", "|", "||", "::", "|~|", ", ", "; ", "^", "~", "\x1f", "\x01", "§", "¦", " ")
QUOTES = ('"', "'")
#: Lines that are looked at; more make no better guess.
SAMPLED = 200

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
_WORDS = re.compile(r"[^\W_][^\"\t|;]*|[-_#@(/.].{0,200}", re.DOTALL)
_MISSING = frozenset({"", "-", "na", "n/a", "null", "none", "nan", "?", "."})


def typed(cell: str) -> bool:
    """Whether a cell is a number, a date or time, a truth value or an id: something a name seldom is."""
    return len(cell) < 64 and _TYPED.fullmatch(cell.strip()) is not None


def missing(cell: str) -> bool:
    return cell.strip().lower() in _MISSING


@dataclass(frozen=True)
class Row:
    """A record of the sample."""

    #: 0-based line it starts on, and how many it takes
    line: int
    lines: int
    #: None when no strict reading fits
    fields: tuple[str, ...] | None

    @property
    def width(self) -> int:
        return 0 if self.fields is None else len(self.fields)


def rows(lines: Sequence[str], grammar: Grammar, most: int = SAMPLED) -> list[Row]:
    """The first records of a sample, blank lines left out."""
    found: list[Row] = []
    at = 0
    while at < len(lines) and len(found) < most:
        if lines[at].strip():
            row = _row(lines, at, grammar)
            found.append(row)
            at += row.lines
        else:
            at += 1
    return found


def _row(lines: Sequence[str], at: int, grammar: Grammar) -> Row:
    text = lines[at]
    for more in range(at + 1, min(at + 50, len(lines)) + 1):
        fields, end = grammar.strict(text)
        if end > len(text):
            return Row(at, more - at, tuple(fields))
        if more == len(lines) or not text.startswith(grammar.quote, end):
            break
        text = f"{text}\n{lines[more]}"
    # A quote within words opens nothing: the line is still worth counting.
    parts = lines[at].split(grammar.delimiter)
    within = all(not part.lstrip().startswith(grammar.quote) for part in parts)
    return Row(at, 1, tuple(parts) if within else None)


def mended(row: Row, lines: Sequence[str], grammar: Grammar, width: int) -> Row:
    """`row`, read with repairs when it could not be read without."""
    if row.fields is not None:
        return row
    fields = mend(lines[row.line], grammar, width)
    return replace(row, fields=tuple(fields)) if isinstance(fields, list) else row


def torn(row: Row, lines: Sequence[str], grammar: Grammar) -> Row:
    """`row`, cut at every delimiter when there is no way to read it: a header has to be called something."""
    if row.fields is not None:
        return row
    parts = lines[row.line].split(grammar.delimiter)
    return replace(row, fields=tuple(part.replace(grammar.quote, "").strip() for part in parts))


def usual_width(found: Sequence[Row]) -> tuple[int, float]:
    """The number of fields that most records have (the greatest of equals), and their share."""
    counts = Counter(row.width for row in found if row.width)
    if not counts:
        return 1, 0.0
    width, count = max(counts.items(), key=lambda item: (item[1], item[0]))
    return width, count / len(found)


def guessed(lines: Sequence[str], delimiter: str | None, quote: str | None, escape: str | None) -> Grammar:
    """The grammar that explains most of `lines`; what is not None was told."""
    text = "\n".join(lines[:SAMPLED])
    quotes = (quote,) if quote is not None else tuple(mark for mark in QUOTES if mark in text) or QUOTES[:1]
    delimiters = (delimiter,) if delimiter is not None else tuple(mark for mark in DELIMITERS if mark in text)
    best, grammar = 0.0, Grammar(delimiter or ",", quotes[0], escape or "")
    for mark in delimiters:
        for around in quotes:
            candidate = Grammar(mark, around, escape or "")
            score = _score(rows(lines, candidate), mark)
            if score > best * 1.0001:
                best, grammar = score, candidate
    if escape is None and grammar.quote and "\\" + grammar.quote in text:
        grammar = max(grammar, Grammar(grammar.delimiter, grammar.quote, "\\"), key=partial(_explained, lines))
    return grammar


def _explained(lines: Sequence[str], grammar: Grammar) -> float:
    return usual_width(rows(lines, grammar))[1]


def _score(found: Sequence[Row], delimiter: str) -> float:
    """How table-like: share of records of one width, times how many cells look like values.

    After van den Burg, Nazábal and Sutton, "Wrangling messy CSV files by detecting row and type
    patterns" (2019), with one row pattern.
    """
    width, share = usual_width(found)
    if width < 2 or share < 0.3 or (delimiter == " " and (share < 0.9 or width < 3)):
        return 0.0
    cells = [cell for row in found if row.fields and row.width == width for cell in row.fields]
    values = sum(_value(cell) for cell in cells) / len(cells)
    # Width counts little, but it tells `a, b, c` (by comma) from one that is cut at a rarer mark.
    # Lines of prose may all have as many words: a space is the last thing to believe in.
    return share * values * (1 - 1 / (width + 1)) * (0.5 if delimiter == " " else 1.0)


def _value(cell: str) -> float:
    if not cell:
        return 0.6  # `a||b` is two fields by `||`, three by `|`
    if typed(cell):
        return 1.0
    if cell[0] == " " or cell[-1] == " ":
        return 0.3
    return 0.9 if _WORDS.fullmatch(cell) else 0.1


def first_table_line(found: Sequence[Row], width: int) -> int:
    """The line on which the table starts: after titles, comments and notes that do not have its width."""
    if width < 2:
        return found[0].line if found else 0
    for place, row in enumerate(found):
        if row.fields is not None and (
            _is_title(row.fields, width) or (row.fields[0].startswith("#") and row.width != width)
        ):
            continue
        if row.fields is None or row.width >= width - 1 or place == len(found) - 1:
            return row.line
    return found[0].line if found else 0


def _is_title(fields: Sequence[str], width: int) -> bool:
    filled = sum(1 for cell in fields if cell.strip())
    return len(fields) <= max(1, width // 2) or (width > 3 and filled <= 1)


def footer(lines: Iterator[str], width: int) -> int:
    """How many of a file's last lines are a note under the table: `lines` come from the last one upwards.

    A note has no delimiter and says so (a rule of dashes, a count of rows, a total, an end mark) or stands
    below a blank line. Anything else that does not fit is a broken record, not a note: nothing is lost.
    """
    if width < 2:
        return 0
    noted = 0
    for taken, line in enumerate(lines, start=1):
        if not line.strip():
            if noted:
                return taken
        elif _NOTE.match(line.strip()):
            noted = taken
        else:
            break
    return noted


_NOTE = re.compile(
    r"\(?\d+ (rows?|records?|lines?)( (affected|selected|returned))?\)?\.?$|[-=*_#]{3,}$"
    r"|(#|--|//)\s?\w|(end of|eof\b|source:|total (rows|records|lines)\b|generated (by|on|at)\b)",
    re.IGNORECASE,
)
