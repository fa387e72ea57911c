"""Defines a suggestion, and helpers of all families: the `mostly` of a rule, rounding, formatting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from dq_pipelines.config.counting import counted

#: From this confidence on a suggested rule is critical and refuses rows; below, it warns.
SURE = 0.9


@dataclass(frozen=True)
class Suggestion:
    """One suggested rule."""

    #: flat, as in YAML, without severity
    rule: Mapping[str, Any]
    #: the evidence, in one sentence
    why: str
    #: probability that the rule holds for correct rows, 0 to 1
    confidence: float
    #: whether most rows fail it now: the values need cleaning before the rule is useful
    is_demand: bool = False
    #: of a rule on several columns, the one whose value is probably wrong in a failing row
    suspect: str | None = None

    @property
    def column(self) -> str | None:
        """The column of the rule, if it is about one."""
        return self.rule.get("column")

    @property
    def warns(self) -> bool:
        """Whether the rule only warns: its confidence is low, or some rows may fail it."""
        return self.confidence < SURE or "mostly" in self.rule or self.is_demand

    @property
    def can_fail(self) -> bool:
        """Whether any rows could fail the rule."""
        least = self.rule.get("min_value")
        is_share = str(self.rule["type"]).startswith("expect_column_proportion")
        return self.rule.get("mostly", 1) > 0 and not (is_share and "max_value" not in self.rule and not least)

    @property
    def as_written(self) -> dict[str, Any]:
        """The rule as in YAML, with severity `warning` where it only warns."""
        return {**self.rule, **({"severity": "warning"} if self.warns else {})}

    @property
    def as_mapping(self) -> dict[str, Any]:
        """The rule for `dq.validate`, with its evidence in `description` and `meta`."""
        meta: dict[str, Any] = {"confidence": round(self.confidence, 2)}
        if self.suspect is not None:
            meta["suspect"] = self.suspect
        return {**self.as_written, "description": self.why, "meta": meta}

    def broken_by(self, unexpected: int, judged: int) -> Suggestion:
        """Returns the suggestion with a `mostly` that allows so many failing rows, and a few more by chance."""
        if not unexpected:
            return self
        if 2 * unexpected > judged:
            return replace(self, is_demand=True)  # such a low `mostly` would check nothing
        admitted = min(self.rule.get("mostly", 1.0), mostly(unexpected, judged))
        return replace(self, rule={**self.rule, "mostly": admitted})


def mostly(unexpected: int, judged: int) -> float:
    """Returns the share of rows that must pass, where so many fail now, with a margin of three standard errors."""
    share = unexpected / judged
    return max(0.0, math.floor((1 - share - 3 * math.sqrt((share + 1 / judged) / judged)) * 1000) / 1000)


def percent(part: float, whole: float) -> str:
    """Formats a share such as `3.3 %`; a part other than none or all is never shown as 0 or 100 %."""
    share = 100 * part / whole if whole else 0.0
    digits = next((digits for digits in range(1, 4) if 0 < round(share, digits) < 100), 1)
    return f"{share:.{digits}f}".rstrip("0").rstrip(".") + " %"


def rows_of(count: int) -> str:
    """Formats a number of rows: `1 row`, `2,000 rows`."""
    return counted(count, "row")


def listed(values: Any, most: int = 4) -> str:
    """Lists some values: `a`, `b` and 3 more."""
    shown = [f"`{value}`" for value in list(values)[:most]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def rounded_out(number: float, *, up: bool) -> float:
    """Rounds up (or down) to two significant digits."""
    if number == 0 or not math.isfinite(number):
        return number
    step = 10.0 ** (math.floor(math.log10(abs(number))) - 1)
    steps = math.ceil(number / step - 1e-9) if up else math.floor(number / step + 1e-9)
    return float(Decimal(steps) * Decimal(str(step)))


def as_written(number: float) -> int | float:
    """Returns a bound for YAML: an int where it is whole."""
    return int(number) if number == int(number) and abs(number) < 1e15 else number
