"""strftime patterns as regular expressions, for what chrono takes and the pattern does not say. What reads texts is formats.py's."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"%%|%[-_0^#:]*(?:\.?[0-9]?f|[A-Za-z+])|\s+")
#: What stands for several directives.
_WHOLE = {
    "%D": "%m/%d/%y", "%x": "%m/%d/%y", "%T": "%H:%M:%S", "%X": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d",
    "%r": "%I:%M:%S %p",
}  # fmt: skip
#: Digits of a number as it is written in full.
_WIDTHS = {"Y": 4, "G": 4, "j": 3, **dict.fromkeys("yCgmdeHkIlMSUWV", 2), **dict.fromkeys("uwq", 1)}


def shape(pattern: str, letter: str, digits: str, *, in_full: bool) -> str | None:
    """An expression of the texts of a chrono pattern whose directive `%<letter>` stands for `digits`; None where it has none.

    `in_full`: every number has all its digits.
    """
    for short, whole in _WHOLE.items():
        pattern = pattern.replace(short, whole)
    parts, at, seen = [r"^\s*"], 0, False
    for token in _TOKEN.finditer(pattern):
        parts.append(re.escape(pattern[at : token.start()]))
        at, text = token.end(), token[0]
        width = _WIDTHS.get(text[-1])
        if text == "%%":
            parts.append("%")
        elif not text.strip() or text[-1] in "nt":
            parts.append(r"\s*")
        elif text == f"%{letter}":
            seen = True
            parts.append(rf"\s*{digits}")
        else:
            count = "" if width is None else f"{{{width}}}" if in_full else f"{{1,{width}}}"
            parts.append(".*?" if width is None else rf"\s*[0-9]{count}")
    parts.append(re.escape(pattern[at:]))
    return "".join(parts) + r"\s*$" if seen else None
