"""Reads one delimited record out of lines of text, exactly.

A record is read strictly first (RFC 4180, plus an escape character), over several lines when a quoted
field holds newlines. A line that no strict reading fits is mended if exactly one reading with the right
number of fields has the fewest repairs. Otherwise it is unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dq_pipelines.sources.grammar import Grammar, Shape
from dq_pipelines.sources.mending import mend, torn, with_bare_quotes

#: A quoted field that is not closed within this many characters was never meant to be one.
LONGEST_RECORD = 16 * 1024**2


@dataclass(frozen=True)
class Record:
    #: number of lines it takes
    lines: int
    #: None when it cannot be read
    fields: list[str] | None
    text: str
    #: one sentence when it cannot be read
    why: str = ""


class Lines(Iterator[str]):
    """Lines that can be taken many at a time."""

    def before(self, mark: str) -> tuple[str, int]:
        """The lines before the next one that holds `mark`, as one text, and how many they are; none where nobody knows."""
        raise NotImplementedError


def record(line: str, following: Iterator[str], grammar: Grammar, shape: Shape) -> Record:
    r"""The record that starts with `line`; `following` gives the lines after it, each with the `\r` that ends it."""
    whole = _continued(line, following, grammar)
    line, lines = "\n".join(whole).removesuffix("\r"), len(whole)
    if "\0" in line:
        return Record(lines, None, line, "it holds a NUL character")
    if not grammar.quote or grammar.quote not in line:
        return _judged(
            lines, grammar.strict(line)[0] if grammar.escapes_bare else line.split(grammar.delimiter), line, shape
        )
    fields, end = grammar.strict(line)
    if end > len(line):
        return _judged(lines, fields, line, shape)
    parts = line.split(grammar.delimiter)
    if not any(part.lstrip(" ").startswith(grammar.quote) for part in parts):  # quotes within words: 5" pipe
        if any(torn(parts, place, grammar.quote) for place in range(len(parts))):
            return Record(lines, None, line, "its quotes are unbalanced: one opens within a field")
        return _judged(lines, parts, line, shape)
    spanning = None
    if line.startswith(grammar.quote, end) and not _closes(line, end + 1, grammar):
        spanning = spanned(whole, end, fields, following, grammar)
    if spanning is not None and spanning.fields is not None and shape.fitted(spanning.fields) is not None:
        return _judged(spanning.lines, spanning.fields, spanning.text, shape)
    if spanning is not None and spanning.fields is not None and not _swallows(spanning, lines, grammar, shape):
        return _judged(spanning.lines, spanning.fields, spanning.text, shape)
    mended = with_bare_quotes(line, grammar, shape) or mend(line, grammar, shape.most)
    return Record(lines, mended, line) if isinstance(mended, list) else Record(lines, None, line, mended)


def _swallows(spanning: Record, first: int, grammar: Grammar, shape: Shape) -> bool:
    """Whether a line after the first ones is a whole record by itself: then the quote was a stray one."""
    if shape.most == 1:
        return False  # whatever holds no delimiter is one
    inner = spanning.text.split("\n")[first:]
    return any(len(grammar.fields(one.removesuffix("\r")) or ()) == shape.most for one in inner)


def _continued(line: str, following: Iterator[str], grammar: Grammar) -> list[str]:
    """The line, and those that belong to it because an escape stands before the end of the one above."""
    whole, size = [line], len(line)
    while grammar.goes_on(whole[-1].removesuffix("\r")) and size <= LONGEST_RECORD:
        more = next(following, None)
        if more is None:
            break
        whole.append(more)
        size += len(more) + 1
    return whole


def _judged(lines: int, fields: list[str], text: str, shape: Shape) -> Record:
    fitted = shape.fitted(fields)
    if fitted is not None:
        return Record(lines, fitted, text)
    return Record(lines, None, text, f"wanted {shape.most} fields, got {len(fields)}")


def spanned(
    whole: list[str], opened: int, before: Sequence[str], following: Iterator[str], grammar: Grammar
) -> Record | None:
    """The record when the quote at `opened` of the lines in `whole` is closed on a later line; None when it never is.

    Each line is looked at once, so that a field of a million lines takes no more than it is long.
    """
    text, fields = list(whole), list(before)
    held, size, lines = ["\n".join(whole)[opened + 1 :]], sum(map(len, whole)), len(whole)
    while True:
        block, count = following.before(grammar.quote) if isinstance(following, Lines) else ("", 0)
        if count:
            text.append(block)
            held.append(block)
            size, lines = size + len(block) + 1, lines + count
            if "\0" in block:
                return None
        more = next(following, None)
        if more is None:
            return None
        text.append(more)
        size, lines = size + len(more) + 1, lines + 1
        if size > LONGEST_RECORD or "\0" in more:
            return None
        if grammar.quote not in more:
            held.append(more)
            continue
        line = more.removesuffix("\r")
        match = grammar.inside.match(line)
        if match is None:
            return None  # closed, by something that is no field's end
        if match[2] is None:
            held.append(more)
            continue
        fields.append(grammar.meaning("\n".join([*held, match[1]])))
        more_fields, end = grammar.strict(line, match.end()) if match[3] else ([], len(line) + 1)
        fields += more_fields
        if end > len(line):
            return Record(lines, fields, "\n".join(text).removesuffix("\r"))
        if not line.startswith(grammar.quote, end) or _closes(line, end + 1, grammar):
            return None
        held = [more[end + 1 :]]


def _closes(text: str, inside: int, grammar: Grammar) -> bool:
    """Whether an undoubled quote follows: the field was closed, and by something that is no field's end."""
    rest = text[inside:]
    if grammar.escaped:
        rest = re.sub(re.escape(grammar.escape) + ".", "", rest, flags=re.DOTALL)
    return grammar.quote in rest.replace(grammar.quote * 2, "")
