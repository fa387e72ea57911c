"""Guesses the encoding of text that is no UTF-8, with a confidence and the second best encoding.

charset-normalizer says which encodings fit and how messy the text looks in each. Of those that fit alike, the one wins
in which words look most like words. `encoding.py` has looked for BOMs and UTF-8 before.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

#: How much worse a text may look in the more usual ones, which are taken where several explain it equally well.
_UNUSUAL = {
    "cp1252": 0.0, "cp1250": 0.02, "cp1251": 0.02, "shift_jis": 0.0, "gb18030": 0.0, "euc_kr": 0.0, "big5": 0.01,
    "euc_jp": 0.02, "cp1253": 0.03, "cp1254": 0.05, "koi8_r": 0.05, "cp1257": 0.1, "cp1255": 0.06, "cp1256": 0.06,
    "latin_1": 0.1, "cp850": 0.9, "mac_roman": 0.9,
}  # fmt: skip
_TWO_BYTES = frozenset({"shift_jis", "gb18030", "euc_kr", "big5", "euc_jp"})
#: Beginnings of the names of characters of East Asia.
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "FULLWIDTH", "IDEOGRAPHIC"})
#: Bytes that are looked at: lines beyond ASCII, whatever stands between them.
SAMPLE = 16 * 1024
#: From this confidence on, the check on guessed encodings passes.
SURE = 0.8


@dataclass(frozen=True)
class Guess:
    """An encoding with the confidence that a file has it."""

    encoding: str
    #: 0 to 1; 1 where the YAML names it, or the bytes prove it
    confidence: float = 1.0
    #: the next best encoding in which the text reads otherwise, or ""
    alternative: str = ""

    @property
    def is_sure(self) -> bool:
        """Whether the check on guessed encodings passes."""
        return self.confidence >= SURE


UTF_8 = Guess("utf-8")


@dataclass(frozen=True)
class _Candidate:
    encoding: str
    text: str
    #: 0 to 1 and more: how much of it looks wrong
    mess: float
    #: 0 to 1: how much it reads like a language
    coherence: float

    @property
    def rank(self) -> float:
        return self.mess - self.coherence / 2 + _UNUSUAL[self.encoding]


def guessed(lines: bytes) -> Guess:
    """The encoding of `lines`, which are no UTF-8: those beyond ASCII, as many as `SAMPLE` holds."""
    sample = lines[:SAMPLE]
    candidates = sorted(_candidates(sample), key=lambda one: one.rank)
    best = candidates[0]
    rivals = [one for one in candidates[1:] if one.text != best.text]
    if not rivals:
        return Guess(best.encoding, 0.95)
    lead = rivals[0].rank - best.rank
    # A few words prove little, however much better they look.
    words = len({word for word in best.text.split() if not word.isascii()})
    evidence = min(1.0, 0.7 + words / 20)
    return Guess(best.encoding, round(min(0.95, (0.5 + 2 * lead) * evidence), 2), rivals[0].encoding)


def _candidates(sample: bytes) -> Iterator[_Candidate]:
    from charset_normalizer import from_bytes

    # One match stands for all encodings in which the text reads alike.
    match_by_text = {str(match): match for match in from_bytes(sample, cp_isolation=list(_UNUSUAL), threshold=0.6)}
    for encoding in _UNUSUAL:
        text = _decoded(sample, encoding)
        if text is None or (encoding in _TWO_BYTES and not _is_cjk(text)):
            continue
        match = match_by_text.get(text)
        chaos, coherence = (match.chaos, match.coherence) if match else (0.3, 0.0)
        yield _Candidate(encoding, text, chaos / 2 + _strangeness(text), coherence)


def _decoded(sample: bytes, encoding: str) -> str | None:
    """The text, but for a character that the sample cuts."""
    for cut in range(4 if encoding in _TWO_BYTES else 1):
        try:
            return sample[: len(sample) - cut].decode(encoding)
        except UnicodeDecodeError as error:
            if error.start < len(sample) - 4:
                return None
    return None


def _is_cjk(text: str) -> bool:
    """Whether all beyond ASCII are characters of East Asia, and more than one: any two bytes may be one."""
    beyond = {char for char in text if not char.isascii()}
    return len(beyond) > 1 and all(_script(char) in ("CJK", "HALFWIDTH") or not char.isalpha() for char in beyond)


@cache
def _script(char: str) -> str:
    """The script of a letter: LATIN, GREEK, CYRILLIC, CJK."""
    first = unicodedata.name(char, "").split(" ")[0].split("-")[0]
    return "CJK" if first in _EAST_ASIAN else first


def _strangeness(text: str) -> float:
    """Of the characters beyond ASCII, the share that no word has where they stand: `£ódŸ`, `cafй`, `нПУЛЧБ`."""
    strange, count = 0.0, 0
    for before, char, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if char.isascii():
            continue
        count += 1
        category = unicodedata.category(char)[0]
        if not char.isalpha():
            strange += category == "C" or (category in "SN" and (before.isalpha() or after.isalpha()))
            continue
        if _script(char) == "HALFWIDTH":
            strange += 0.15  # kana of old terminals: nearly all bytes are some
        neighbours = [other for other in (before, after) if other.isalpha()]
        mixed = any(_script(other) != _script(char) for other in neighbours)
        strange += mixed or (before.islower() and char.isupper()) or (char.islower() and after.isupper())
    return strange / count if count else 0.0
