"""What a suggestion is, and what the families of suggestions share: how much a rule must put up with, which numbers are round."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from dq_pipelines.config.counting import counted

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
    #: whether most rows break it today: the values want cleaning before the rule is of use
    is_demand: bool = False
    #: the column whose values are doubted where a row breaks the rule, if the rule is about several
    suspect: str | None = None

    @property
    def column(self) -> str | None:
        """The column that the rule is about, if it is about one."""
        return self.rule.get("column")

    @property
    def warns(self) -> bool:
        """Whether the rule only warns: it is not sure, or some rows may break it."""
        return self.confidence < SURE or "mostly" in self.rule or self.is_demand

    @property
    def can_fail(self) -> bool:
        """Whether there are rows that would fail the rule."""
        least = self.rule.get("min_value")
        is_share = str(self.rule["type"]).startswith("expect_column_proportion")
        return self.rule.get("mostly", 1) > 0 and not (is_share and "max_value" not in self.rule and not least)

    @property
    def as_written(self) -> dict[str, Any]:
        """The rule as YAML has it. One that is not sure, or that some rows may break, only warns."""
        return {**self.rule, **({"severity": "warning"} if self.warns else {})}

    @property
    def as_mapping(self) -> dict[str, Any]:
        """The rule as `dq.validate` takes it, with its evidence in `description` and `meta`."""
        meta: dict[str, Any] = {"confidence": round(self.confidence, 2)}
        if self.suspect is not None:
            meta["suspect"] = self.suspect
        return {**self.as_written, "description": self.why, "meta": meta}

    def broken_by(self, unexpected: int, judged: int) -> Suggestion:
        """The suggestion when so many of the judged rows break it: `mostly` admits that many, and some by chance."""
        if not unexpected:
            return self
        if 2 * unexpected > judged:
            return replace(self, is_demand=True)  # a share of rows that must pass would ask for nothing
        admitted = min(self.rule.get("mostly", 1.0), mostly(unexpected, judged))
        return replace(self, rule={**self.rule, "mostly": admitted})


def mostly(unexpected: int, judged: int) -> float:
    """The share of rows that must pass where so many do not: as many more by chance still do (three standard errors)."""
    share = unexpected / judged
    return max(0.0, math.floor((1 - share - 3 * math.sqrt((share + 1 / judged) / judged)) * 1000) / 1000)


def percent(part: float, whole: float) -> str:
    """`3.3 %`; never 0 for some, nor 100 for not all."""
    share = 100 * part / whole if whole else 0.0
    digits = next((digits for digits in range(1, 4) if 0 < round(share, digits) < 100), 1)
    return f"{share:.{digits}f}".rstrip("0").rstrip(".") + " %"


def rows_of(count: int) -> str:
    """`1 row`, `2,000 rows`."""
    return counted(count, "row")


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
