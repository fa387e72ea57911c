"""Which columns determine which: functional dependencies that hold but for errors.

A dependency is measured by μ⁺ (Parciak et al., Measuring Approximate Functional Dependencies, ICDE 2024): how much better a
column is foretold by another one than by itself, corrected for chance. Whether what breaks it are errors is seen in how
evenly it is spread over the groups of rows that are alike.
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

#: Rows that are looked at.
_ROWS = 50_000
#: So many tell at a glance that one column has nothing to do with another, where so large a share of them has one alike.
_FEW, _ENOUGH_ALIKE = 2_000, 0.5
#: The least μ⁺, where groups of rows that are alike are large, from so many rows on, and where they are not.
_LEAST, _LARGE, _LEAST_OF_SMALL = 0.3, 10, 0.7
#: The most rows that may break a dependency. From the second share on, there must be so many groups of some rows, and in
#: nearly all of them more than half of the rows must agree.
_MOST_BROKEN, _OFTEN_BROKEN, _MANY_GROUPS, _USUALLY = 0.45, 0.15, 15, 0.7
#: Errors are spread evenly over the groups of so many rows, up to this χ² over its degrees of freedom; fewer than this
#: share need not be.
_COUNTS, _MOST_UNEVEN, _HARDLY_BROKEN = 5, 2.0, 0.005
#: So many rows, and so large a share of them, must have one that is alike, in so many groups.
_LEAST_ROWS = 30
_LEAST_ALIKE, _LEAST_GROUPS = 0.3, 3
#: A value of a third column explains what breaks a dependency where so many of its rows do, and it has so many rows.
_EXPLAINED, _LEAST_EXPLAINED = 0.8, 5


@dataclass(frozen=True)
class Dependency:
    """`by` determines `column`, but for some rows."""

    column: str
    by: tuple[str, ...]
    #: rows of groups of two and more, and of these, rows with another value than the usual one of their group
    alike: int
    violations: int
    groups: int
    #: μ⁺, 0 to 1
    strength: float

    def voted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`value`, `rows`, `group` and `most`: each value of each group, beside the group's size and most frequent count."""
        pairs, keys = _pairs(rows, self.by, self.column)
        counted = pairs.drop_nulls().group_by(*keys, "value").agg(pl.len().alias("rows"))
        return counted.with_columns(pl.sum("rows").over(keys).alias("group"), pl.max("rows").over(keys).alias("most"))

    def usual(self, rows: pl.DataFrame) -> frozenset[Any]:
        """The values that most rows of a group have."""
        voted = self.voted(rows)
        return frozenset(voted.filter((pl.col("rows") * 2 > pl.col("group")) & (pl.col("rows") > 1))["value"])

    def outvoted(self, rows: pl.DataFrame) -> frozenset[Any]:
        """The values that are usual nowhere, and somewhere are not by far."""
        voted = self.voted(rows)
        somewhere = voted.filter(pl.col("rows") * 3 <= pl.col("most"))
        return frozenset(somewhere["value"]) - self.usual(rows)


def dependencies_in(profile: Profile) -> dict[str, Dependency]:
    """For each column that others determine the best dependency: the one that the fewest rows break."""
    rows = profile.sample.head(_ROWS) if profile.sample.height <= _ROWS else profile.sample.sample(_ROWS, seed=1)
    coded = _coded(rows, [column for column in profile if _may_take_part(column)])
    some = coded.sample(min(_FEW, coded.height), seed=1)
    few = {name: some.get_column(name).rank("dense").fill_null(0).cast(pl.Int64).to_numpy() for name in some.columns}
    found: dict[str, Dependency] = {}
    for determined in profile:
        if determined.name not in coded.columns or determined.distinct < 2:
            continue
        candidates = list(_candidates(profile, coded, few, determined))
        for candidate in sorted(candidates, key=lambda each: (each.violations / each.alike, -each.strength))[:1]:
            found[determined.name] = _refined(coded, candidate, profile)
    return found


def _may_take_part(column: ColumnProfile) -> bool:
    """Whether a column may be determined, or determine: it repeats, and is no free text."""
    return column.reading.kind != "other" and column.seen > 0 and column.distinct <= 0.95 * column.count


def _coded(rows: pl.DataFrame, columns: Sequence[ColumnProfile]) -> pl.DataFrame:
    """Each value as a small number, which is quick to group by; null stays null."""
    return pl.DataFrame(
        [rows.get_column(column.name).rank("dense").cast(pl.UInt64).alias(column.name) for column in columns]
    )


def _pairs(rows: pl.DataFrame, by: Sequence[str], name: str) -> tuple[pl.DataFrame, list[str]]:
    """The column as `value` beside those of `by`, under names of ours, whatever their own are."""
    keys = {f"key {place}": rows.get_column(other) for place, other in enumerate(by)}
    return pl.DataFrame({**keys, "value": rows.get_column(name)}), list(keys)


def _candidates(
    profile: Profile, coded: pl.DataFrame, few: Mapping[str, Codes], determined: ColumnProfile
) -> Iterator[Dependency]:
    name = determined.name
    for other in coded.columns:
        by = profile[other]
        # What determines a column has as many values, but for those that are errors. A measure determines nothing.
        too_few = by.distinct + _MOST_BROKEN * coded.height < min(determined.distinct, coded.height)
        if other == name or too_few or by.distinct < 2 or by.reading.kind in ("float", "decimal"):
            continue
        if _hopeless(few[other], few[name]):
            continue
        found = measured(coded, (other,), name)
        if found is not None:
            yield found


def _hopeless(by: Codes, value: Codes) -> bool:
    """Whether a few rows tell that one column does not determine the other: nothing is foretold better than by chance.

    In a tenth of the time of a closer look, which most pairs of columns then need not be given.
    """
    import numpy as np

    there = (by > 0) & (value > 0)
    by, value = by[there], value[there]
    pairs, counts = np.unique(by * (int(value.max(initial=0)) + 1) + value, return_counts=True)
    groups = np.bincount(by)
    rows, alike = len(by), int(groups[groups > 1].sum())
    if alike < _ENOUGH_ALIKE * rows or not rows:
        return False  # so few say nothing
    of_group = groups[pairs // (int(value.max()) + 1)]
    foretold = float((counts.astype(float) ** 2 / of_group).sum()) / rows
    itself = float(((np.bincount(value) / rows) ** 2).sum())
    known = int((groups > 0).sum())
    return itself < 1 and rows > known and 1 - (1 - foretold) / (1 - itself) * (rows - 1) / (rows - known) < _LEAST / 2


def measured(coded: pl.DataFrame, by: Sequence[str], name: str) -> Dependency | None:
    """How well `by` determines the column; None where the rows do not show that it does, but for errors."""
    beside, keys = _pairs(coded, by, name)
    pairs = beside.lazy().drop_nulls().group_by(*keys, "value").agg(n=pl.len())
    grouped = pairs.group_by(keys).agg(
        rows=pl.sum("n"), squares=(pl.col("n").cast(pl.Float64) ** 2).sum(), most=pl.max("n")
    )
    itself = pairs.group_by("value").agg(n=pl.sum("n")).select(itself=(pl.col("n").cast(pl.Float64) ** 2).sum())
    groups, alone = pl.collect_all([grouped, itself])
    rows, alike = int(groups["rows"].sum()), groups.filter(pl.col("rows") > 1)
    known = int(alike["rows"].sum())
    if known < max(_LEAST_ROWS, _LEAST_ALIKE * rows) or alike.height < min(_LEAST_GROUPS, groups.height):
        return None
    by_itself = alone.item() / rows**2
    if by_itself >= 1:
        return None
    foretold = float((groups["squares"] / groups["rows"]).sum()) / rows
    strength = 1 - (1 - foretold) / (1 - by_itself) * (rows - 1) / (rows - groups.height)
    # Where few rows are alike at a time, chance brings forth more of them.
    if strength < (_LEAST if rows >= _LARGE * groups.height else _LEAST_OF_SMALL) or not _by_errors(alike):
        return None
    return Dependency(name, tuple(by), known, known - int(alike["most"].sum()), alike.height, strength)


def _by_errors(alike: pl.DataFrame) -> bool:
    """Whether errors explain what breaks a dependency: they come in each group alike, as by the throw of one die.

    A dependency that does not hold has groups without an exception beside groups that are all exceptions. Measured
    by Pearson's χ² over its degrees of freedom, which is about 1 for errors.
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


def _refined(coded: pl.DataFrame, found: Dependency, profile: Profile) -> Dependency:
    """The dependency with one more column in `by`, where that one explains what breaks it."""
    if found.violations < _LEAST_EXPLAINED:
        return found
    beside, keys = _pairs(coded, found.by, found.column)
    counted = beside.with_columns(n=pl.len().over(*keys, "value"))
    breaks = (
        counted.select(pl.col("n") < pl.max("n").over(keys)).to_series()
        & beside.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    )
    best = (_LEAST_EXPLAINED - 1, found)
    for other in coded.columns:
        if other in (*found.by, found.column) or profile[other].reading.kind in ("float", "decimal"):
            continue
        third = pl.DataFrame({"other": coded.get_column(other), "breaks": breaks}).drop_nulls()
        kinds = third.group_by("other").agg(pl.sum("breaks"), rows=pl.len())
        sure = kinds.filter((pl.col("breaks") >= _EXPLAINED * pl.col("rows")) & (pl.col("rows") >= _LEAST_EXPLAINED))
        explained = int(sure["breaks"].sum())
        if explained > max(best[0], found.violations / 5):
            wider = measured(coded, (*found.by, other), found.column)
            if wider is not None:
                best = (explained, wider)
    return best[1]


def by_name(dependencies: Mapping[str, Dependency], names: Sequence[str]) -> list[Dependency]:
    """The dependencies in the order of the columns."""
    return [dependencies[name] for name in names if name in dependencies]
