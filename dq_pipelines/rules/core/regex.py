r"""Translates Python's regular expressions to those of an engine (Rust's regex, RE2, Java's, PostgreSQL's).

The meaning of a pattern is that of Python's `re.search`, as in GX on pandas. The dialects differ in
small ways that change verdicts (`$` before a final newline, what `\w` and `\s` match, what ignoring
case does to the Turkish i). So Python's parser reads the pattern, and each part is written out explicitly.
A pattern without an equivalent (look-around, back-references, word boundaries of Unicode
text, …) gives None; then Python itself runs it.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

from dq_pipelines.rules.core.dialect import RegexFlavour

# Python's parser has no public interface; imported by name, since type checkers differ about these modules.
op: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

_DIGITS = r"\p{Nd}"
_WORD = r"\p{L}\p{N}_"
_SPACE = r"\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_ASCII = {"DIGIT": "0-9", "WORD": "0-9A-Za-z_", "SPACE": r"\x{9}-\x{d}\x{20}"}
_UNICODE = {"DIGIT": _DIGITS, "WORD": _WORD, "SPACE": _SPACE}
#: letters outside ASCII that Python treats as these ASCII ones when it ignores case
_ALSO = {"i": "\u0130\u0131", "k": "\u212a", "s": "\u017f"}
#: a word boundary of ASCII text, and its negation; spelled out for Java, whose own `\b` depends on the version
_JAVA_WORD = "[0-9A-Za-z_]"
_BOUNDARY: dict[RegexFlavour, tuple[str, str]] = {
    "rust": (r"(?-u:\b)", r"(?-u:\B)"),
    "re2": (r"\b", r"\B"),
    "java": (
        f"(?:(?<={_JAVA_WORD})(?!{_JAVA_WORD})|(?<!{_JAVA_WORD})(?={_JAVA_WORD}))",
        f"(?:(?<={_JAVA_WORD})(?={_JAVA_WORD})|(?<!{_JAVA_WORD})(?!{_JAVA_WORD}))",
    ),
}
_BOUNDARY["postgresql"] = _BOUNDARY["java"]
#: the beginning and the end of a line; in Python only `\n` ends one, and Java finds no line after the last `\n`
_LINE = {
    "rust": ("(?m:^)", "(?m:$)"),
    "re2": ("(?m:^)", "(?m:$)"),
    "java": (r"(?<![^\x{a}])", r"(?![^\x{a}])"),
    "postgresql": (r"(?:\A|(?<=\x{a}))", r"(?:\z|(?=\x{a}))"),
}
#: the largest count of a repetition
_MOST_TIMES: dict[RegexFlavour, int] = {"postgresql": 255}
#: the largest total weight of Unicode classes, with repetitions, within the size limit of Rust's regex
_MOST_WEIGHT = 100


class _Mode(NamedTuple):
    """Python's flags at a part of the pattern, and the target syntax."""

    flags: int
    flavour: RegexFlavour

    def changed(self, added: int, removed: int) -> _Mode:
        return self._replace(flags=(self.flags | added) & ~removed)


class _Untranslatable(Exception):
    """This part has no equivalent in the target syntax."""


def check(pattern: str) -> str:
    """The pattern itself; raises ValueError, with one sentence, if Python cannot parse it."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about syntax that may change in the future: [[, --, &&
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"regex {pattern!r} does not parse: {error}") from None
    return pattern


@lru_cache(maxsize=4096)
def translated(pattern: str, flavour: RegexFlavour = "rust") -> str | None:
    """The equivalent pattern in an engine's syntax; None if there is none."""
    tree = parser.parse(pattern)
    if flavour not in _BOUNDARY:
        return None
    try:
        text, weight = _sequence(list(tree), _Mode(tree.state.flags, flavour), tail=True)
    except _Untranslatable:
        return None
    if weight > _MOST_WEIGHT:
        return None
    return _as_postgresql(text) if flavour == "postgresql" else text


def _sequence(nodes: Sequence[Any], mode: _Mode, *, tail: bool) -> tuple[str, float]:
    """The text of the nodes, and their weight; `tail`: nothing is matched after the last of them."""
    last = len(nodes) - 1
    parts = [_node(node, mode, tail=tail and place == last) for place, node in enumerate(nodes)]
    return "".join(text for text, _ in parts), sum(weight for _, weight in parts)


def _node(node: Any, mode: _Mode, *, tail: bool) -> tuple[str, float]:
    match node:
        case (op.LITERAL, code):
            return _class(_literal(code, mode)), 0.01
        case (op.NOT_LITERAL, code):
            return f"[^{''.join(_literal(code, mode))}]", 0.02
        case (op.ANY, _):
            return (r"(?s:.)" if mode.flags & re.DOTALL else r"[^\x{a}]"), 0.02
        case (op.IN, items):
            return _in(items, mode)
        case (op.AT, where):
            return _at(where, mode, tail=tail), 0
        case (op.BRANCH, (_, branches)):
            found = [_sequence(list(branch), mode, tail=tail) for branch in branches]
            return f"(?:{'|'.join(text for text, _ in found)})", sum(weight for _, weight in found)
        case (op.SUBPATTERN, (_, added, removed, nodes)):
            text, weight = _sequence(list(nodes), mode.changed(added, removed), tail=tail)
            return f"(?:{text})", weight
        case (op.MAX_REPEAT | op.MIN_REPEAT, (least, most, nodes)):
            text, weight = _sequence(list(nodes), mode, tail=False)
            return _repeat(least, most, text, weight, mode)
    raise _Untranslatable(node)


def _repeat(least: int, most: Any, text: str, weight: float, mode: _Mode) -> tuple[str, float]:
    # Greediness changes what is matched, not whether the pattern is found.
    unbounded = most is op.MAXREPEAT
    times = max(least, 1) if unbounded else most
    if times > _MOST_TIMES.get(mode.flavour, 1000):
        raise _Untranslatable("RE2 repeats at most 1000 times, PostgreSQL 255 times")
    return f"(?:{text}){{{least},{'' if unbounded else most}}}", weight * max(times, 1)


def _at(where: Any, mode: _Mode, *, tail: bool) -> str:
    many = bool(mode.flags & re.MULTILINE)
    match where:
        case op.AT_BEGINNING_STRING:
            return r"\A"
        case op.AT_BEGINNING:
            return _LINE[mode.flavour][0] if many else r"\A"
        case op.AT_END_STRING:
            return r"\z"
        case op.AT_END if many:
            return _LINE[mode.flavour][1]
        case op.AT_END if tail:
            # Also before a final newline; this consumes the newline, so nothing may follow.
            return r"(?:\x{a}?\z)"
        case op.AT_BOUNDARY | op.AT_NON_BOUNDARY if mode.flags & re.ASCII:
            return _BOUNDARY[mode.flavour][0 if where is op.AT_BOUNDARY else 1]
    raise _Untranslatable(where)


def _in(items: Sequence[Any], mode: _Mode) -> tuple[str, float]:
    negated = bool(items) and items[0][0] is op.NEGATE
    members, weight = [], 0.02
    for item in items[1:] if negated else items:
        match item:
            case (op.LITERAL, code):
                members += _literal(code, mode)
            case (op.RANGE, (low, high)):
                members += _range(low, high, mode)
            case (op.CATEGORY, category):
                text, heavy = _category(category, mode, alone=len(items) == 1)
                members.append(text)
                weight += heavy
            case _:
                raise _Untranslatable(item)
    return (f"[^{''.join(members)}]" if negated else _class(members)), weight


def _category(category: Any, mode: _Mode, *, alone: bool) -> tuple[str, float]:
    name = str(category).removeprefix("CATEGORY_")
    known = _ASCII if mode.flags & re.ASCII else _UNICODE
    weight = 0.01 if mode.flags & re.ASCII else 1.0 if name.endswith("WORD") else 0.1
    if name in known:
        return known[name], weight
    if alone:
        return f"^{known[name.removeprefix('NOT_')]}", weight
    if name == "NOT_DIGIT" and not mode.flags & re.ASCII:
        return r"\P{Nd}", weight
    raise _Untranslatable(category)


def _literal(code: int, mode: _Mode) -> list[str]:
    if not mode.flags & re.IGNORECASE:
        return [_character(code)]
    letter = chr(code)
    if letter.isascii():
        also = _ALSO.get(letter.lower(), "") if not mode.flags & re.ASCII else ""
        return [_character(ord(one)) for one in sorted({letter.lower(), letter.upper(), *also})]
    if letter.lower() == letter.upper() and letter not in "".join(_ALSO.values()):
        return [_character(code)]
    raise _Untranslatable("Python's table of equal letters is its own")


def _range(low: int, high: int, mode: _Mode) -> list[str]:
    if not mode.flags & re.IGNORECASE:
        return [f"{_character(low)}-{_character(high)}"]
    if high >= 128:
        raise _Untranslatable("Python's table of equal letters is its own")
    return [one for code in range(low, high + 1) for one in _literal(code, mode)]


def _character(code: int) -> str:
    if 0xD800 <= code <= 0xDFFF:
        raise _Untranslatable("no engine's text holds half of a surrogate pair")
    letter = chr(code)
    return letter if letter.isascii() and letter.isalnum() else f"\\x{{{code:x}}}"


def _class(members: Iterable[str]) -> str:
    members = list(members)
    single = len(members) == 1 and (len(members[0]) == 1 or members[0].startswith(r"\x")) and "-" not in members[0]
    return members[0] if single else f"[{''.join(members)}]"


def _as_postgresql(text: str) -> str:
    r"""The pattern in PostgreSQL's syntax; it has no Unicode classes, so these become ranges from Python's tables.

    The replaced texts cannot come from the user: all characters except letters and digits are `\x{…}` by now.
    """
    return _DIFFERENT.sub(lambda match: _in_postgresql(match.group()), text)


_DIFFERENT = re.compile(r"\\x\{[0-9a-f]+\}|\\p\{L\}\\p\{N\}_|\\p\{Nd\}|\\P\{Nd\}|\\z|\(\?s:\.\)")


@lru_cache(maxsize=256)
def _in_postgresql(part: str) -> str:
    match part:
        case r"\z":
            return r"\Z"
        case "(?s:.)":
            return "."
        case r"\p{Nd}":
            return _ranges(r"\d")
        case r"\P{Nd}":
            return _ranges(r"\D")
        case r"\p{L}\p{N}_":
            return _ranges(r"\w")
    return _escaped(int(part[3:-1], 16))


def _ranges(category: str) -> str:
    """The characters of a category in Python, as ranges for a bracket expression."""
    every = "".join(chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    runs = [(ord(found.group()[0]), ord(found.group()[-1])) for found in re.finditer(f"{category}+", every)]
    return "".join(f"{_escaped(low)}-{_escaped(high)}" for low, high in runs)


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
