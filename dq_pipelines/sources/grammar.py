"""How characters make the fields of one delimited record, and how many fields a record may have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


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
            match = self.field.match(text, at)
            if match is None:
                return fields, at
            quoted = match[1]
            fields.append(self.bare_meaning(match[2]) if quoted is None else self.meaning(quoted))
            at = match.end()
            if not match[3]:
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
        risky = (self.delimiter, quote, "\n", "\r", "\ufeff")
        if line.count(self.delimiter) == len(fields) - 1 and not any(mark in line for mark in risky[1:]):
            return line
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
