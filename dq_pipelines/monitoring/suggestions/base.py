"""What a suggestion is, and what the families of suggestions share: how much a rule must put up with, which numbers are round."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

#: From here on a suggested rule is critical and refuses rows; below it warns.
SURE = 0.9


@dataclass(frozen=True)
class Suggestion:
    """One rule that the data speak for."""

    #: flat, as YAML has it, without severity
    rule: Mapping[str, Any]
    #: the evidence, in one sentence
    why: str
    #: how likely the rule is to hold for rows that are as they should be, 0 to 1
    confidence: float

    @property
    def column(self) -> str | None:
        """The column that the rule is about, if it is about one."""
        return self.rule.get("column")

    @property
    def as_written(self) -> dict[str, Any]:
        """The rule as YAML has it: one that is not sure only warns."""
        return {**self.rule, **({} if self.confidence >= SURE else {"severity": "warning"})}

    @property
    def as_mapping(self) -> dict[str, Any]:
        """The rule as `dq.validate` takes it, with its evidence in `description` and `meta`."""
        return {**self.as_written, "description": self.why, "meta": {"confidence": round(self.confidence, 2)}}

    def broken_by(self, unexpected: int, judged: int) -> Suggestion:
        """The suggestion when so many of the judged rows break it: it holds the line there."""
        if not unexpected or "mostly" in self.rule or 2 * unexpected > judged:
            return self  # what most rows break is a demand: a share of them that must pass would make it none
        return replace(self, rule={**self.rule, "mostly": mostly(unexpected, judged)})


def mostly(unexpected: int, judged: int) -> float:
    """The share of rows that must pass where so many do not: as many more by chance still do (three standard errors)."""
    share = unexpected / judged
    return max(0.0, math.floor((1 - share - 3 * math.sqrt((share + 1 / judged) / judged)) * 1000) / 1000)


def percent(part: float, whole: float) -> str:
    """`3.3 %`; never 0 for some, nor 100 for not all."""
    share = 100 * part / whole if whole else 0.0
    digits = next((digits for digits in range(1, 4) if 0 < round(share, digits) < 100), 1)
    return f"{share:.{digits}f}".rstrip("0").rstrip(".") + " %"


def listed(values: Any, most: int = 4) -> str:
    """`a`, `b` and 3 more."""
    shown = [f"`{value}`" for value in list(values)[:most]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def rounded_out(number: float, *, up: bool) -> float:
    """The next number of two significant digits above (or below) it."""
    if number == 0 or not math.isfinite(number):
        return number
    step = 10.0 ** (math.floor(math.log10(abs(number))) - 1)
    steps = math.ceil(number / step - 1e-9) if up else math.floor(number / step + 1e-9)
    return float(Decimal(steps) * Decimal(str(step)))


def as_written(number: float) -> int | float:
    """A bound as YAML shows it best: whole where it is."""
    return int(number) if number == int(number) and abs(number) < 1e15 else number
