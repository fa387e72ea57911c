"""Converts strftime patterns to regular expressions, to check texts that chrono accepts too leniently."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"%%|%[-_0^#:]*(?:\.?[0-9]?f|[A-Za-z+])|\s+")
#: Directives that abbreviate several others.
_WHOLE = {
    "%D": "%m/%d/%y", "%x": "%m/%d/%y", "%T": "%H:%M:%S", "%X": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d",
    "%r": "%I:%M:%S %p",
}  # fmt: skip
#: The number of digits of a directive when written in full.
_WIDTHS = {"Y": 4, "G": 4, "j": 3, **dict.fromkeys("yCgmdeHkIlMSUWV", 2), **dict.fromkeys("uwq", 1)}


def shape(pattern: str, letter: str, digits: str, *, in_full: bool) -> str | None:
    """A regular expression for texts of a chrono pattern in which `%<letter>` matches `digits`; None without this directive.

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
