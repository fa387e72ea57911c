"""One delimited record out of lines of text, exactly. Whole files belong in `plain.py`, guesses in `dialect.py`.

A record is read strictly first (RFC 4180, plus an escape character), over several lines when a quoted
field holds newlines. A line that no strict reading fits is mended if there is exactly one reading with
the fewest repairs that has the right number of fields; otherwise it is unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

#: A quoted field that is not closed within this many characters was never meant to be one.
LONGEST_RECORD = 16 * 1024**2
#: Mending tries every pair of delimiters in a line: past this many the line is unreadable.
MOST_DELIMITERS = 400


@dataclass(frozen=True)
class Grammar:
    """How characters make fields."""

    delimiter: str
    #: one character, or "" when nothing is quoted
    quote: str
    #: one character, or "": the quote's own doubling is always understood
    escape: str
    #: whether the escape also stands before delimiters, line ends and itself in fields that are not quoted
    escapes_bare: bool = False

    @cached_property
    def field(self) -> re.Pattern[str]:
        """One field and what ends it; group 1 is what was quoted, 2 what was not, 3 the delimiter or nothing."""
        return self._field(self.quote, "")

    @cached_property
    def loose_field(self) -> re.Pattern[str]:
        """The same, with quotes allowed inside what is not quoted."""
        return self._field("", f"(?! *{re.escape(self.quote)})")

    def _field(self, barred: str, ahead: str) -> re.Pattern[str]:
        delimiter, quote, escape = (re.escape(part) for part in (self.delimiter, self.quote, self.escape))
        plain = f"[^{re.escape(barred + self.delimiter[0]) + (escape if self.escapes_bare else '')}]*"
        if self.escapes_bare:
            plain += rf"(?:{escape}(?:\r\n|.|\Z){plain})*"
        if len(self.delimiter) > 1:  # its first character may stand alone
            plain += f"(?:(?!{delimiter}){re.escape(self.delimiter[0])}{plain})*"
        if not quote:
            return re.compile(rf"(?!)()|({plain})({delimiter}|\Z)", re.DOTALL)
        special = quote + escape if self.escaped else quote
        pair = f"(?:{quote}{quote}|{escape}.)" if self.escaped else quote + quote
        quoted = f"{quote}([^{special}]*(?:{pair}[^{special}]*)*){quote}"
        return re.compile(rf"(?:{quoted}|{ahead}({plain}))({delimiter}|\Z)", re.DOTALL)

    @cached_property
    def inside(self) -> re.Pattern[str]:
        """What a quoted field holds of a line; group 2 is the quote that closes it and 3 what ends the field."""
        delimiter, quote, escape = (re.escape(part) for part in (self.delimiter, self.quote, self.escape))
        special = quote + escape if self.escaped else quote
        # An escape at the end of a line stands before the line's end.
        pair = rf"(?:{quote}{quote}|{escape}(?:.|\Z))" if self.escaped else quote + quote
        return re.compile(rf"([^{special}]*(?:{pair}[^{special}]*)*)(?:({quote})({delimiter}|\Z)|\Z)", re.DOTALL)

    @property
    def escaped(self) -> bool:
        return self.escape not in ("", self.quote)

    def bare_meaning(self, text: str) -> str:
        """The text of a field that is not quoted, with escapes resolved where the grammar has them there."""
        if not self.escapes_bare or self.escape not in text:
            return text
        marks = re.escape(self.quote + self.escape + "\n" + self.delimiter[0])
        return re.sub(rf"{re.escape(self.escape)}(\r\n|[{marks}])", lambda match: match[1], text)

    def blank(self, line: str) -> bool:
        """Whether a line holds nothing, not even a delimiter: those may be white space themselves."""
        return not line.strip() and (self.delimiter not in line or not line)

    def goes_on(self, line: str) -> bool:
        """Whether an escape stands before the end of the line, so that the record goes on with the next one."""
        if not self.escapes_bare or not line.endswith(self.escape):
            return False
        return (len(line) - len(line.rstrip(self.escape))) % 2 == 1

    def meaning(self, inner: str) -> str:
        """The text between two quotes, with doublings and escapes resolved."""
        quote, escape = self.quote, self.escape
        if self.escaped and escape in inner:
            # Only a quote or the escape itself is escaped: a backslash before anything else is a backslash.
            pattern = f"{re.escape(escape)}([{re.escape(quote + escape)}])|{re.escape(quote)}({re.escape(quote)})"
            return re.sub(pattern, lambda match: match[1] or match[2], inner)
        return inner.replace(quote + quote, quote)

    def strict(self, text: str, start: int = 0) -> tuple[list[str], int]:
        """The fields of `text`, and where reading stopped: the end, or the field that cannot be read."""
        fields: list[str] = []
        at = start
        while True:
            found = self.field.match(text, at)
            if found is None:
                return fields, at
            quoted = found[1]
            fields.append(self.bare_meaning(found[2]) if quoted is None else self.meaning(quoted))
            at = found.end()
            if not found[3]:
                return fields, at + 1

    def fields(self, text: str) -> list[str] | None:
        """The fields of a whole record, or None when it is none."""
        fields, end = self.strict(text)
        return fields if end > len(text) else None

    def written(self, fields: list[str]) -> str:
        """A line that a plain reader of this delimiter and quote understands."""
        quote = self.quote
        if not quote:
            return self.delimiter.join(fields)
        line = self.delimiter.join(fields)
        if line.count(self.delimiter) == len(fields) - 1 and not any(mark in line for mark in (quote, "\n", "\r")):
            return line
        risky = (self.delimiter, quote, "\n", "\r")
        return self.delimiter.join(
            f"{quote}{field.replace(quote, quote + quote)}{quote}" if any(mark in field for mark in risky) else field
            for field in fields
        )


@dataclass(frozen=True)
class Shape:
    """How many fields a record may have."""

    fewest: int
    most: int
    #: whether one empty field more is allowed: some writers end every line with a delimiter
    trailing: bool = False

    def fitted(self, fields: list[str]) -> list[str] | None:
        """`fields` when they are as many as allowed, without the empty one that a last delimiter makes."""
        if self.trailing and len(fields) == self.most + 1 and not fields[-1]:
            return fields[:-1]
        return fields if self.fewest <= len(fields) <= self.most else None


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
        if any(_torn(parts, place, grammar.quote) for place in range(len(parts))):
            return Record(lines, None, line, "its quotes are unbalanced: one opens within a field")
        return _judged(lines, parts, line, shape)
    spanning = None
    if line.startswith(grammar.quote, end) and not _closes(line, end + 1, grammar):
        spanning = spanned(whole, end, fields, following, grammar)
    if spanning is not None and spanning.fields is not None and shape.fitted(spanning.fields) is not None:
        return _judged(spanning.lines, spanning.fields, spanning.text, shape)
    if spanning is not None and spanning.fields is not None and not _swallows(spanning, lines, grammar, shape):
        return _judged(spanning.lines, spanning.fields, spanning.text, shape)
    mended = _with_bare_quotes(line, grammar, shape) or mend(line, grammar, shape.most)
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
        found = grammar.inside.match(line)
        if found is None:
            return None  # closed, by something that is no field's end
        if found[2] is None:
            held.append(more)
            continue
        fields.append(grammar.meaning("\n".join([*held, found[1]])))
        got, end = grammar.strict(line, found.end()) if found[3] else ([], len(line) + 1)
        fields += got
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


def _with_bare_quotes(line: str, grammar: Grammar, shape: Shape) -> list[str] | None:
    """What `mend` gives for the commonest fault, quotes within words of fields that are not quoted, sooner."""
    fields: list[str] = []
    bare: list[str] = []
    at = 0
    while at <= len(line):
        found = grammar.loose_field.match(line, at)
        if found is None:
            return None
        quoted = found[1]
        fields.append(found[2] if quoted is None else grammar.meaning(quoted))
        bare.append(found[2] or "")
        at = found.end() + (0 if found[3] else 1)
    if any(grammar.quote in one and _torn(bare, place, grammar.quote) for place, one in enumerate(bare)):
        return None
    return shape.fitted(fields)


def mend(line: str, grammar: Grammar, most: int) -> list[str] | str:
    """The one reading of `line` that has the fewest repairs, or a sentence saying why there is none."""
    starts = [0] + [found.end() for found in re.finditer(re.escape(grammar.delimiter), line)]
    if len(starts) > MOST_DELIMITERS:
        return f"its quotes are unbalanced and it has {len(starts)} delimiters, too many to mend"
    ends = [start - len(grammar.delimiter) for start in starts[1:]] + [len(line)]
    # best[k][i]: cheapest way to read fields k.. from start i on: repairs, number of such ways, next start, value
    count, parts = len(starts), line.split(grammar.delimiter)
    best: list[dict[int, tuple[int, int, int, str]]] = [{} for _ in range(most + 1)]
    best[0][count] = (0, 1, count, "")
    choices = [list(_choices(line, starts[i], i, ends, parts, grammar)) for i in range(count)]
    for left in range(1, most + 1):
        for i in range(count):
            for after, repairs, value in choices[i]:
                rest = best[left - 1].get(after)
                if rest is None:
                    continue
                cost, known = repairs + rest[0], best[left].get(i)
                if known is None or cost < known[0]:
                    best[left][i] = (cost, rest[1], after, value)
                elif cost == known[0]:
                    best[left][i] = (cost, known[1] + rest[1], known[2], known[3])
    found = best[most].get(0)
    if found is None:
        return f"its quotes are unbalanced: no reading of it has {most} fields"
    if found[1] > 1:
        return f"its quotes are unbalanced: {found[1]} readings of it have {most} fields"
    fields, at = [], 0
    for left in range(most, 0, -1):
        _, _, after, value = best[left][at]
        fields.append(value)
        at = after
    return fields


def _torn(parts: list[str], place: int, quote: str) -> bool:
    """Whether a quote opens within this part and closes at the end of a later one: `8 Wt."Crisp, light",`.

    Such a field lost the delimiter before its quote, and what it holds is one field less than it seems.
    """
    part = parts[place]
    if part.count(quote) % 2 == 0 or not re.search(rf"{re.escape(quote)}\w", part):
        return False
    later = next((other for other in parts[place + 1 :] if quote in other), "")
    return later.endswith(quote) and not later.startswith(quote) and later.count(quote) % 2 == 1


def _choices(
    line: str, start: int, i: int, ends: list[int], parts: list[str], grammar: Grammar
) -> Iterator[tuple[int, int, str]]:
    """Every way to read a field at `start`: index of the next start, repairs, value."""
    quote = grammar.quote
    plain = line[start : ends[i]]
    quotes = plain.count(quote)
    opens = plain.lstrip(" ").startswith(quote)
    # No quote, quotes within words (5" pipe), or one that opens nothing.
    if quotes == 1 if opens else not _torn(parts, i, quote):
        yield i + 1, 1 if quotes else 0, plain
    padded = len(line) - len(line[start:].lstrip(" ")) - start
    opening = start + padded
    if not line.startswith(quote, opening):
        return
    for j in range(i, len(ends)):
        inside = line[opening : ends[j]].rstrip(" ")
        if len(inside) < 2 or not inside.endswith(quote):
            continue
        inner = inside[1:-1]
        loose = re.sub(re.escape(grammar.escape) + ".", "", inner) if grammar.escaped else inner
        stray = loose.replace(quote * 2, "").count(quote)
        repairs = stray + (1 if padded else 0) + (1 if opening + len(inside) != ends[j] else 0)
        yield j + 1, repairs, grammar.meaning(inner)
