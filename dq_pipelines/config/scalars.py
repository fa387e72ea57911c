"""Resolves unquoted YAML scalars by the core schema of YAML 1.2, plus dates.

PyYAML follows YAML 1.1, in which `no` is false, `12:30` is 750 and `0123` is 83: a value set or a regex
would change silently. Here only `true` and `false` are booleans. `12:30`, `yes` and `1_000` are text,
and `1e3` is a number. Dates and times are dates and times. Ambiguous values such as `0123`
are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= {word: float("inf") for word in (".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF")}
_WORDS |= {word: float("-inf") for word in ("-.inf", "-.Inf", "-.INF")}
_WORDS |= {word: float("nan") for word in (".nan", ".NaN", ".NAN")}

_INTEGER = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[-+][0-9]{2}:?[0-9]{2})?"
)

#: Characters. Python refuses to parse much longer integers; longer scalars are text.
_LONGEST = 400


def resolve(text: str) -> Any:
    """The value of an unquoted scalar; raises ValueError, with one sentence, for an ambiguous one."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789" or len(text) > _LONGEST:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _PREFIXED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _DATE.fullmatch(text):
        return _dated(text, date.fromisoformat)
    if _MOMENT.fullmatch(text):
        return _dated(text, lambda moment: datetime.fromisoformat(moment.upper()))
    return text


def _integer(text: str) -> int:
    digits = text.lstrip("-+")
    if len(digits) > 1 and digits[0] == "0":
        raise ValueError(f"wanted '{text}' in quotes or a number without leading zeros, got {text}")
    return int(text)


def _dated(text: str, read: Callable[[str], date]) -> date:
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"wanted a date, or text in quotes, got {text}: {error}") from None


#: The types that an explicit tag allows.
_TAGGED: dict[str, tuple[type[Any], ...]] = {
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
    "tag:yaml.org,2002:timestamp": (date,),
}


def tagged(text: str, tag: str) -> Any:
    """The value of a scalar with a tag such as `!!str`; raises ValueError for a non-standard tag or a value of another type."""
    if tag in ("tag:yaml.org,2002:str", "!"):
        return text
    name = tag.replace("tag:yaml.org,2002:", "!!")
    if tag not in _TAGGED:
        raise ValueError(f"wanted no tag but !!str, !!int, !!float, !!bool, !!null or !!timestamp, got {name}")
    value: Any = resolve(text)
    if not isinstance(value, _TAGGED[tag]) or (isinstance(value, bool) and not tag.endswith("bool")):
        raise ValueError(f"wanted {name}, got {text!r}")
    return float(value) if tag.endswith("float") else value
