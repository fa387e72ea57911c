"""Guesses a file's delimiter, quote and escape, and where its table ends.

Every guess is made from the first lines, and the YAML can name each instead. A wrong guess loses nothing: what does not fit it
becomes unreadable, with its line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dq_pipelines.sources.cell_kinds import missing, typed
from dq_pipelines.sources.grammar import Grammar
from dq_pipelines.sources.mending import mend
from dq_pipelines.sources.records import spanned

#: In order of preference when they explain a file equally well.
DELIMITERS = (",", ";", "\t", "|", "||", "::", "|~|", ", ", "; ", "^", "~", "\x1f", "\x01", "§", "¦", " ")
QUOTES = ('"', "'")
#: Those that seldom stand in a value, and the one that stands for none in a file of one column.
COMMON, ABSENT = (",", ";", "\t", "|"), "\x1f"
#: Lines that are looked at; more make no better guess.
SAMPLED = 200

_WORDS = re.compile(r"[^\W_][^\"\t|;]*|[-_#@(/.].{0,200}", re.DOTALL)


@dataclass(frozen=True)
class SampleRecord:
    """A record of the sample."""

    #: 0-based line it starts on, and how many it takes
    line: int
    lines: int
    #: None when no strict reading fits
    fields: tuple[str, ...] | None
    #: whether the sample ends within it
    cut: bool = False

    @property
    def width(self) -> int:
        return 0 if self.fields is None else len(self.fields)


def rows(lines: Sequence[str], grammar: Grammar, most: int = SAMPLED, *, cut: bool = False) -> list[SampleRecord]:
    """The first records of a sample, blank lines left out; `cut` says that the file goes on after it."""
    records: list[SampleRecord] = []
    at = 0
    while at < len(lines) and len(records) < most:
        if lines[at].strip():
            row = _row(lines, at, grammar, cut)
            records.append(row)
            at += row.lines
        else:
            at += 1
    return records


def _row(lines: Sequence[str], at: int, grammar: Grammar, cut: bool) -> SampleRecord:
    following = (lines[place] for place in range(at + 1, len(lines)))
    whole = [lines[at]]
    while grammar.goes_on(whole[-1]) and (more := next(following, None)) is not None:
        whole.append(more)
    text = "\n".join(whole)
    fields, end = grammar.strict(text)
    if end > len(text):
        return SampleRecord(at, len(whole), tuple(fields))
    if text.startswith(grammar.quote, end):
        record = spanned(whole, end, fields, following, grammar)
        if record is not None and record.fields is not None:
            return SampleRecord(at, record.lines, tuple(record.fields))
        if cut and next(following, None) is None and grammar.quote not in text[end + 1 :]:
            return SampleRecord(at, len(lines) - at, None, cut=True)
    # A quote within words opens nothing: the line is still worth counting.
    parts = lines[at].split(grammar.delimiter)
    within = all(not part.lstrip().startswith(grammar.quote) for part in parts)
    return SampleRecord(at, 1, tuple(parts) if within else None)


def mended(row: SampleRecord, lines: Sequence[str], grammar: Grammar, width: int) -> SampleRecord:
    """`row`, read with repairs when it could not be read without."""
    if row.fields is not None:
        return row
    fields = mend(lines[row.line], grammar, width)
    return replace(row, fields=tuple(fields)) if isinstance(fields, list) else row


def torn(row: SampleRecord, lines: Sequence[str], grammar: Grammar) -> SampleRecord:
    """`row`, cut at every delimiter when there is no way to read it: a header has to be called something."""
    if row.fields is not None:
        return row
    parts = lines[row.line].split(grammar.delimiter)
    return replace(row, fields=tuple(part.replace(grammar.quote, "").strip() for part in parts))


def usual_width(records: Sequence[SampleRecord]) -> tuple[int, float]:
    """The number of fields that most records have (the greatest of equals), and their share."""
    records = [row for row in records if not row.cut]
    counts = Counter(row.width for row in records if row.width)
    if not counts:
        return 1, 0.0
    width, count = max(counts.items(), key=lambda item: (item[1], item[0]))
    return width, count / len(records)


def table_width(records: Sequence[SampleRecord]) -> int:
    """The usual width, or where pairs of names and values stand above a shorter table: the width of that."""
    usual, _ = usual_width(records)
    readable = [row.width for row in records if row.width > 1]
    last = readable[-1] if readable else usual
    table = len(readable) - next(
        (place for place, width in enumerate(reversed(readable)) if width != last), len(readable)
    )
    return last if usual == 2 < last and len(readable) - table > 1 and usual not in readable[table:] else usual


def guessed(
    lines: Sequence[str], delimiter: str | None, quote: str | None, escape: str | None, *, cut: bool = False
) -> Grammar:
    """The grammar that explains most of `lines`. What is not None is given, `cut` is as in `rows`."""
    text = "\n".join(lines[:SAMPLED])
    quotes = (quote,) if quote is not None else tuple(mark for mark in QUOTES if mark in text) or QUOTES[:1]
    delimiters = (delimiter,) if delimiter is not None else tuple(mark for mark in DELIMITERS if mark in text)
    # A backslash before a delimiter or the end of a line, outside of quotes: MySQL and PostgreSQL write so.
    bare = escape not in (None, "", quote) or (escape is None and _escapes_bare(lines[:SAMPLED]))
    given = Grammar(delimiter or ",", quotes[0], escape or "", escape is not None and bare)
    candidates = [replace(given, delimiter=mark, quote=around) for mark in delimiters for around in quotes]
    if escape is None and bare:
        quotes = quotes if quote is not None else (*quotes, "")
        candidates += [Grammar(mark, around, "\\", True) for mark in delimiters for around in quotes]
    scored = [
        (_score(records, grammar_read.delimiter), _proven(records, grammar_read), grammar_read)
        for grammar_read, records in _read(lines, candidates, cut)
    ]
    # A field of several lines that a quote explains is no chance: then no grammar counts that explains it otherwise.
    proven = [scored_grammar for scored_grammar in scored if scored_grammar[1] and scored_grammar[0] > 0] or scored
    best, grammar = 0.0, given
    for score, _, candidate in proven:
        if score > best * 1.0001:
            best, grammar = score, candidate
    if quote is None and grammar.quote == QUOTES[1] and not _are_quoted(lines, grammar, cut=cut):
        grammar = replace(grammar, quote=QUOTES[0])
    if delimiter is None and _is_one_column(rows(lines, grammar, cut=cut), grammar.delimiter):
        grammar = replace(grammar, delimiter=ABSENT if any("," in line for line in lines) else ",")
    if escape is None and grammar.quote and not grammar.escape and "\\" + grammar.quote in text:
        grammar = max(grammar, Grammar(grammar.delimiter, grammar.quote, "\\"), key=partial(_explained, lines))
    return grammar


def _is_one_column(records: Sequence[SampleRecord], delimiter: str) -> bool:
    """Whether the delimiter stands within the values of a file of one column: its header has none, and not each line below.

    A mark that is rare between columns (`std::map`, `12 345 678`) has to stand in the header as well.
    """
    if not records or records[0].width != 1:
        return False
    width, share = usual_width(records)
    wide = [place for place, row in enumerate(records) if row.width > 1]
    if width == 1 or not wide:
        return True
    between = any(row.width == 1 for row in records[wide[0] : wide[-1]])
    if delimiter in COMMON:
        return between and width <= 3 and share < 0.8
    uneven = len(wide) < 2 or any(records[place].width != width for place in wide)
    return width == 2 or between or uneven or all(typed(delimiter.join(records[place].fields or ())) for place in wide)


def _are_quoted(lines: Sequence[str], grammar: Grammar, *, cut: bool) -> bool:
    """Whether apostrophes are this file's quotes: they hold delimiters or ends of lines, or all words of a column.

    Around a single cell they are a part of it.
    """
    other = rows(lines, replace(grammar, quote=QUOTES[0]), cut=cut)
    if usual_width(other) != usual_width(rows(lines, grammar, cut=cut)):
        return True
    width, _ = usual_width(other)
    table = [row.fields for row in other if row.fields and row.width == width]
    names = [cell.strip() for cell in table[0] if cell.strip()] if table else []
    if len(names) > 1 and all(map(_has_apostrophes, names)):
        return True
    for place in range(width):
        words = [cell for cell in (row[place].strip() for row in table) if not typed(cell) and not missing(cell)]
        body = words[1:] if words and words[0] == table[0][place].strip() else words
        for cells in (words, body):
            if len(cells) > 1 and all(map(_has_apostrophes, cells)):
                return True
    return False


def _has_apostrophes(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == QUOTES[1]


def _read(lines: Sequence[str], grammars: Sequence[Grammar], cut: bool) -> Iterator[tuple[Grammar, list[SampleRecord]]]:
    return ((grammar, rows(lines, grammar, cut=cut)) for grammar in grammars)


def _proven(records: Sequence[SampleRecord], grammar: Grammar) -> bool:
    """Whether all records read as they should, and some of them take several lines."""
    width, share = usual_width(records)
    if width < 2 or share < 0.9:
        return False
    # An apostrophe that is never closed opens no field; a quotation mark may be closed after the sample.
    return any(row.lines > 1 and (row.width == width or (row.cut and grammar.quote == QUOTES[0])) for row in records)


def _escapes_bare(lines: Sequence[str]) -> bool:
    return any(line.endswith("\\") or re.search(r"\\[,;\t|]", line) for line in lines)


def _explained(lines: Sequence[str], grammar: Grammar) -> float:
    return usual_width(rows(lines, grammar))[1]


def _score(records: Sequence[SampleRecord], delimiter: str) -> float:
    """How table-like: share of records of one width, times how many cells look like values.

    After van den Burg, Nazábal and Sutton, "Wrangling messy CSV files by detecting row and type
    patterns" (2019), with one row pattern.
    """
    width, share = usual_width(records)
    if width < 2 or share < 0.3 or (delimiter == " " and (share < 0.9 or width < 3)):
        return 0.0
    cells = [cell for row in records if row.fields and row.width == width for cell in row.fields]
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


def footer(lines: Iterator[str], width: int, grammar: Grammar) -> int:
    """How many of a file's last lines are a note under the table: `lines` come from the last one upwards.

    A note cannot be a record: it has no delimiter, and no quote that a field of several lines may end with. It
    says that it is one (a rule of dashes, a count of rows, an end mark). Anything else is a record, or a broken one.
    """
    if width < 2 or grammar.escapes_bare:
        return 0
    noted = 0
    for taken, line in enumerate(lines, start=1):
        if not line.strip():
            if noted:
                return taken
        elif _is_note(line, grammar):
            noted = taken
        else:
            break
    return noted


def _is_note(line: str, grammar: Grammar) -> bool:
    quoted = bool(grammar.quote) and grammar.quote in line
    return grammar.delimiter not in line and not quoted and _NOTE.match(line.strip()) is not None


def delimiter_line(lines: Sequence[str]) -> str | None:
    """The delimiter that a first line `sep=;` names: Excel reads and writes it, and it is no part of the table."""
    match = re.fullmatch(r'"?sep=(.)"?', lines[0].strip("\r\n"), re.IGNORECASE) if lines else None
    return match[1] if match else None


_NOTE = re.compile(
    r"\(?\d+ (rows?|records?|lines?)( (affected|selected|returned))?\)?\.?$|[-=*_#]{3,}$"
    r"|(#|--|//)\s?\w|(end of|eof\b|source:|total (rows|records|lines)\b|generated (by|on|at)\b)",
    re.IGNORECASE,
)
