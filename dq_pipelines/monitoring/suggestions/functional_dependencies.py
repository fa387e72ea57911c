"""Finds approximate functional dependencies: columns that determine others except for errors.

A dependency is measured by μ⁺ (Parciak et al., Measuring Approximate Functional Dependencies, ICDE 2024). It says how much
better another column predicts a column than the column itself does, corrected for chance. Violations count as errors if
they are spread evenly over the groups of equal rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile, Profile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    #: A column's values as small numbers, 0 where there is none.
    Codes = NDArray[np.int64]

#: Most rows of the sample.
_ROWS = 50_000
#: Rows of the quick pretest, and the least share of them in groups of two and more.
_FEW, _ENOUGH_ALIKE = 2_000, 0.5
#: The least μ⁺ for large groups; the mean rows of a large group; the least μ⁺ for smaller groups.
_LEAST, _LARGE, _LEAST_OF_SMALL = 0.3, 10, 0.7
#: Largest share of violations. From the second share on, there must be at least so many large groups, and the last share
#: of rows must be in groups with a majority value.
_MOST_BROKEN, _OFTEN_BROKEN, _MANY_GROUPS, _USUALLY = 0.45, 0.15, 15, 0.7
#: Errors are spread evenly over groups of at least so many rows, up to this χ² per degree of freedom. Below the last share
#: of violations this is not required.
_COUNTS, _MOST_UNEVEN, _HARDLY_BROKEN = 5, 2.0, 0.005
#: Least rows in groups of two and more, their least share of all rows, and the least number of such groups.
_LEAST_ROWS = 30
_LEAST_ALIKE, _LEAST_GROUPS = 0.3, 3
#: A value of a third column explains violations where this share of its rows are violations, out of at least so many.
_EXPLAINED, _LEAST_EXPLAINED = 0.8, 5


@dataclass(frozen=True)
class Dependency:
    """A dependency: `by` determines `column`, except in some rows."""

    column: str
    by: tuple[str, ...]
    #: rows in groups of two and more, and those of them without the most frequent value of their group
    alike: int
    violations: int
    groups: int
    #: μ⁺, 0 to 1
    strength: float

    def voted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns each value of each group: `value`, `rows`, `group` (the group's size), `most` (its largest count)."""
        pairs, keys = _pairs(rows, self.by, self.column)
        counted = pairs.drop_nulls().group_by(*keys, "value").agg(pl.len().alias("rows"))
        return counted.with_columns(pl.sum("rows").over(keys).alias("group"), pl.max("rows").over(keys).alias("most"))

    def usual(self, rows: pl.DataFrame) -> frozenset[Any]:
        """Returns the values that most rows of a group have."""
        voted = self.voted(rows)
        return frozenset(voted.filter((pl.col("rows") * 2 > pl.col("group")) & (pl.col("rows") > 1))["value"])

    def outvoted(self, rows: pl.DataFrame) -> frozenset[Any]:
        """Returns the values that are no group's majority, and in some group far rarer than the most frequent one."""
        voted = self.voted(rows)
        somewhere = voted.filter(pl.col("rows") * 3 <= pl.col("most"))
        return frozenset(somewhere["value"]) - self.usual(rows)


def dependencies_in(profile: Profile) -> dict[str, Dependency]:
    """Returns the best dependency of each determined column: the one with the fewest violations."""
    rows = profile.sample.head(_ROWS) if profile.sample.height <= _ROWS else profile.sample.sample(_ROWS, seed=1)
    coded = _coded(rows, [column for column in profile if _may_take_part(column)])
    some = coded.sample(min(_FEW, coded.height), seed=1)
    few = {name: some.get_column(name).rank("dense").fill_null(0).cast(pl.Int64).to_numpy() for name in some.columns}
    best: dict[str, Dependency] = {}
    for determined in profile:
        if determined.name not in coded.columns or determined.distinct < 2:
            continue
        candidates = list(_candidates(profile, coded, few, determined))
        for candidate in sorted(candidates, key=lambda each: (each.violations / each.alike, -each.strength))[:1]:
            best[determined.name] = _refined(coded, candidate, profile)
    return best


def _may_take_part(column: ColumnProfile) -> bool:
    """Whether a column may be part of a dependency: its values repeat."""
    return column.inferred_type.kind != "other" and column.seen > 0 and column.distinct <= 0.95 * column.count


def _coded(rows: pl.DataFrame, columns: Sequence[ColumnProfile]) -> pl.DataFrame:
    """Encodes each value as a small number for quick grouping; null stays null."""
    return pl.DataFrame(
        [rows.get_column(column.name).rank("dense").cast(pl.UInt64).alias(column.name) for column in columns]
    )


def _pairs(rows: pl.DataFrame, by: Sequence[str], name: str) -> tuple[pl.DataFrame, list[str]]:
    """Returns the column as `value` and the columns of `by` as `key 0`, `key 1`, …, with the names of these keys."""
    keys = {f"key {place}": rows.get_column(other) for place, other in enumerate(by)}
    return pl.DataFrame({**keys, "value": rows.get_column(name)}), list(keys)


def _candidates(
    profile: Profile, coded: pl.DataFrame, few: Mapping[str, Codes], determined: ColumnProfile
) -> Iterator[Dependency]:
    name = determined.name
    for other in coded.columns:
        by = profile[other]
        # A determining column has at least as many values, except for errors. A measure determines nothing.
        too_few = by.distinct + _MOST_BROKEN * coded.height < min(determined.distinct, coded.height)
        if other == name or too_few or by.distinct < 2 or by.inferred_type.kind in ("float", "decimal"):
            continue
        if _fails_pretest(few[other], few[name]):
            continue
        dependency = measured(coded, (other,), name)
        if dependency is not None:
            yield dependency


def _fails_pretest(by: Codes, value: Codes) -> bool:
    """Whether a few rows show that one column does not predict the other better than chance.

    It takes a tenth of the time of the full test, and rejects most pairs of columns.
    """
    import numpy as np

    not_null = (by > 0) & (value > 0)
    by, value = by[not_null], value[not_null]
    pairs, counts = np.unique(by * (int(value.max(initial=0)) + 1) + value, return_counts=True)
    groups = np.bincount(by)
    rows, alike = len(by), int(groups[groups > 1].sum())
    if alike < _ENOUGH_ALIKE * rows or not rows:
        return False  # too few rows to decide
    of_group = groups[pairs // (int(value.max()) + 1)]
    foretold = float((counts.astype(float) ** 2 / of_group).sum()) / rows
    itself = float(((np.bincount(value) / rows) ** 2).sum())
    group_count = int((groups > 0).sum())
    return (
        itself < 1
        and rows > group_count
        and 1 - (1 - foretold) / (1 - itself) * (rows - 1) / (rows - group_count) < _LEAST / 2
    )


def measured(coded: pl.DataFrame, by: Sequence[str], name: str) -> Dependency | None:
    """Measures how well `by` determines the column; None where it does not, even apart from errors."""
    beside, keys = _pairs(coded, by, name)
    pairs = beside.lazy().drop_nulls().group_by(*keys, "value").agg(n=pl.len())
    grouped = pairs.group_by(keys).agg(
        rows=pl.sum("n"), squares=(pl.col("n").cast(pl.Float64) ** 2).sum(), most=pl.max("n")
    )
    itself = pairs.group_by("value").agg(n=pl.sum("n")).select(itself=(pl.col("n").cast(pl.Float64) ** 2).sum())
    groups, alone = pl.collect_all([grouped, itself])
    rows, alike = int(groups["rows"].sum()), groups.filter(pl.col("rows") > 1)
    alike_rows = int(alike["rows"].sum())
    if alike_rows < max(_LEAST_ROWS, _LEAST_ALIKE * rows) or alike.height < min(_LEAST_GROUPS, groups.height):
        return None
    by_itself = alone.item() / rows**2
    if by_itself >= 1:
        return None
    foretold = float((groups["squares"] / groups["rows"]).sum()) / rows
    strength = 1 - (1 - foretold) / (1 - by_itself) * (rows - 1) / (rows - groups.height)
    # Small groups agree by chance more often.
    if strength < (_LEAST if rows >= _LARGE * groups.height else _LEAST_OF_SMALL) or not _by_errors(alike):
        return None
    return Dependency(name, tuple(by), alike_rows, alike_rows - int(alike["most"].sum()), alike.height, strength)


def _by_errors(alike: pl.DataFrame) -> bool:
    """Whether errors explain the violations: errors occur in all groups at the same rate.

    A dependency that does not hold has some groups without violations and others full of them. This is measured by
    Pearson's χ² per degree of freedom, which is about 1 for errors.
    """
    large = alike.filter(pl.col("rows") >= _COUNTS)
    groups = large if 2 * int(large["rows"].sum()) >= int(alike["rows"].sum()) else alike
    rows, broken = int(groups["rows"].sum()), int((groups["rows"] - groups["most"]).sum())
    share = broken / rows
    if share <= _HARDLY_BROKEN:
        return True
    if share > _OFTEN_BROKEN:
        usual = int(groups.filter(2 * pl.col("most") > pl.col("rows"))["rows"].sum())
        if share > _MOST_BROKEN or len(large) < _MANY_GROUPS or usual < _USUALLY * rows:
            return False
    expected = pl.col("rows") * share
    far = (pl.col("rows") - pl.col("most") - expected) ** 2 / (expected * (1 - share))
    return float(groups.select(far.mean()).item()) <= _MOST_UNEVEN


def _refined(coded: pl.DataFrame, dependency: Dependency, profile: Profile) -> Dependency:
    """Adds one more column to `by`, where that one explains the violations."""
    if dependency.violations < _LEAST_EXPLAINED:
        return dependency
    beside, keys = _pairs(coded, dependency.by, dependency.column)
    counted = beside.with_columns(n=pl.len().over(*keys, "value"))
    breaks = (
        counted.select(pl.col("n") < pl.max("n").over(keys)).to_series()
        & beside.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    )
    best = (_LEAST_EXPLAINED - 1, dependency)
    for other in coded.columns:
        if other in (*dependency.by, dependency.column) or profile[other].inferred_type.kind in ("float", "decimal"):
            continue
        third = pl.DataFrame({"other": coded.get_column(other), "breaks": breaks}).drop_nulls()
        kinds = third.group_by("other").agg(pl.sum("breaks"), rows=pl.len())
        sure = kinds.filter((pl.col("breaks") >= _EXPLAINED * pl.col("rows")) & (pl.col("rows") >= _LEAST_EXPLAINED))
        explained = int(sure["breaks"].sum())
        if explained > max(best[0], dependency.violations / 5):
            wider = measured(coded, (*dependency.by, other), dependency.column)
            if wider is not None:
                best = (explained, wider)
    return best[1]


def by_name(dependencies: Mapping[str, Dependency], names: Sequence[str]) -> list[Dependency]:
    """Returns the dependencies in the order of the columns."""
    return [dependencies[name] for name in names if name in dependencies]
