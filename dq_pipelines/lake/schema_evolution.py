"""Compares two schemas of a table and applies a policy: two schemas in, a `Drift` out. Opens no table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

import polars as pl
from polars import selectors

from dq_pipelines.sources.common_types import widened
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.to_text import stored_text

#: Which column changes are allowed; each policy allows more than the one before. `rebuild` is the policy of a rerun.
Policy = Literal["strict", "add_columns", "widen", "evolve", "rebuild"]
Kind = Literal["new", "missing", "renamed", "retyped", "reordered"]

_ORDER: tuple[Policy, ...] = ("strict", "add_columns", "widen", "evolve", "rebuild")

#: The largest number of decimal digits of an integer type.
_DIGITS: Mapping[type[pl.DataType], int] = {pl.Int8: 3, pl.Int16: 5, pl.Int32: 10, pl.Int64: 19}
_MOST_DIGITS = 38

#: Likeness (0 to 1) from which two names count as the same; `difflib` calls 0.6 a good match.
_ALIKE = 0.6


@dataclass(frozen=True)
class Change:
    """The change of one column, or of the order of all columns (then `column` is "")."""

    column: str
    kind: Kind
    #: the type in the table, or the order of its columns; None for a new column
    before: pl.DataType | tuple[str, ...] | None
    #: the type in the new rows, or the order of their columns; None for a missing column
    after: pl.DataType | tuple[str, ...] | None
    #: the least policy that allows it
    wants: Policy
    #: the type that the table then has; None for a change without one
    becomes: pl.DataType | None = None
    #: the new name of a renamed column
    now: str | None = None

    def is_allowed(self, policy: Policy) -> bool:
        return _ORDER.index(self.wants) <= _ORDER.index(policy)

    @property
    def is_between(self) -> bool:
        """Whether the column's new type differs from that of the new rows: a type that holds both, or None if there is none."""
        return self.kind == "retyped" and self.becomes != self.after


@dataclass(frozen=True)
class Drift:
    """How the columns of new rows differ from those of their table."""

    policy: Policy
    changes: tuple[Change, ...]
    #: the table before
    before: pl.Schema
    #: the table after, if all changes are allowed: its columns in order, then the new ones
    schema: pl.Schema

    @property
    def refused(self) -> tuple[Change, ...]:
        """The changes that the policy does not allow."""
        return tuple(change for change in self.changes if not change.is_allowed(self.policy))

    @property
    def is_none(self) -> bool:
        """Whether nothing differs except, possibly, the order of the columns."""
        return all(change.kind == "reordered" for change in self.changes)

    @property
    def rewrites(self) -> bool:
        """Whether published rows get another type and have to be rewritten."""
        return any(self.schema.get(name) != dtype for name, dtype in self.before.items())


def drift(
    before: pl.Schema,
    after: pl.Schema,
    policy: Policy,
    *,
    lacking: Mapping[str, pl.DataType] | None = None,
    alike: Callable[[str, str], bool] | None = None,
) -> Drift:
    """The difference between a table and new rows, both without their partition column.

    `lacking` are columns that `after` has only by name, with their earlier landed types. `alike` compares the values of a
    missing and a new column; their names are compared here. A column without values (type Null) fits any type. The drift's
    `schema` is the table's schema if all changes are allowed.
    """
    lacking = lacking or {}
    missing = {name: dtype for name, dtype in before.items() if name not in after or name in lacking}
    new = {name: dtype for name, dtype in after.items() if name not in before and name not in lacking}
    gone = {**missing, **{name: dtype for name, dtype in lacking.items() if name not in before}}
    pairs = _renamed(gone, lacking, new, alike)
    changes: list[Change] = []
    for name, dtype in gone.items():
        kind: Kind = "renamed" if name in pairs else "missing"
        now = pairs.get(name)
        changes.append(Change(name, kind, dtype, new[now] if now else None, "add_columns", dtype, now))
    renamed = set(pairs.values())
    changes += [
        Change(name, "new", None, kind, "add_columns", kind) for name, kind in new.items() if name not in renamed
    ]
    for name, dtype in before.items():
        if name in after and after[name] not in (dtype, pl.Null()):
            changes.append(_retyped(name, dtype, after[name]))
    changes += _reordered(before, [name for name in after if name not in lacking])
    types = {change.column: change.becomes for change in changes if change.kind == "retyped"}
    schema = {name: types.get(name) or dtype for name, dtype in before.items()} | new
    return Drift(policy, tuple(changes), before, pl.Schema(schema))


def _retyped(name: str, before: pl.DataType, after: pl.DataType) -> Change:
    wider = common(before, after)
    if wider is not None:
        return Change(name, "retyped", before, after, "widen", wider)
    if any("Binary" in str(dtype) for dtype in (before, after)):  # alone or nested: no text holds bytes
        return Change(name, "retyped", before, after, "rebuild")
    return Change(name, "retyped", before, after, "evolve", pl.String())


def _reordered(before: pl.Schema, after: Sequence[str]) -> list[Change]:
    was = tuple(name for name in before if name in after)
    now = tuple(name for name in after if name in before)
    return [] if was == now else [Change("", "reordered", was, now, "strict")]


def _renamed(
    gone: Mapping[str, pl.DataType],
    landed: Mapping[str, pl.DataType],
    new: Mapping[str, pl.DataType],
    alike: Callable[[str, str], bool] | None,
) -> dict[str, str]:
    """The new names of missing columns: of the same type, the most similar names first, then similar values."""
    fits = [(name, now) for name in gone for now in new if new[now] in (gone[name], landed.get(name))]
    named = sorted(((likeness(name, now), name, now) for name, now in fits), key=lambda one: (-one[0], one[1:]))
    pairs: dict[str, str] = {}
    for score, name, now in named:
        free = name not in pairs and now not in pairs.values()
        if free and (score >= _ALIKE or (alike is not None and alike(name, now))):
            pairs[name] = now
    return pairs


def likeness(one: str, other: str) -> float:
    """How similar two names are, 0 to 1, ignoring case and separators."""
    plain = ["".join(letter for letter in name.casefold() if letter.isalnum()) for name in (one, other)]
    if not all(plain):
        return 0.0
    return 1.0 if plain[0] == plain[1] else SequenceMatcher(None, plain[0], plain[1]).ratio()


def common(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """The least type that holds every value of both exactly, or None; text only counts for two text types."""
    if one == other:
        return one
    if isinstance(one, pl.List) and isinstance(other, pl.List):
        inner = common(one.inner, other.inner)  # type: ignore[arg-type]
        return None if inner is None else pl.List(inner)
    as_decimals = [_as_decimal(dtype) for dtype in (one, other)]
    if pl.Decimal in (one, other) and None not in as_decimals:
        scale = max(scale for _, scale in as_decimals)  # type: ignore[misc]
        digits = max(whole for whole, _ in as_decimals)  # type: ignore[misc]
        return pl.Decimal(digits + scale, scale) if digits + scale <= _MOST_DIGITS else None
    return widened(one, other)


def comparable(one: pl.LazyFrame, other: pl.LazyFrame, names: Sequence[str]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Both frames with these columns in comparable types: the least type that holds both, or text."""
    ours, theirs = one.collect_schema(), other.collect_schema()
    kinds = {name: common(ours[name], theirs[name]) or pl.String() for name in names}
    return conformed(one, kinds), conformed(other, kinds)


def _as_decimal(dtype: pl.DataType) -> tuple[int, int] | None:
    """The most digits before and after the decimal point; None for a type that is no exact number."""
    if isinstance(dtype, pl.Decimal):
        return dtype.precision - dtype.scale, dtype.scale
    digits = _DIGITS.get(type(dtype))
    return None if digits is None else (digits, 0)


def conformed(rows: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """`rows` with the columns of `schema` in their types, null for missing ones; other columns stay unchanged."""
    there = rows.collect_schema()
    new = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in there]
    changed = [
        _cast(name, there[name], dtype) for name, dtype in schema.items() if name in there and there[name] != dtype
    ]
    # Polars 2.1 panics: a frame that was part of a union, with nothing added, has no schema after the next union.
    return rows.with_columns(*new, *changed) if new or changed else rows


def exactly(rows: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """`rows` with exactly the columns of `schema`, in their types and order."""
    # By name and no expressions: a column may be called `*`.
    return conformed(rows, schema).select(selectors.by_name(list(schema)))


def fits(name: str, dtype: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """Whether a column's value converts exactly to the `wanted` type, by the rules of casts; null fits any type."""
    value = selectors.by_name(name).as_expr()
    exact = pl.lit(False) if wanted.is_nested() else typed(value, dtype, wanted).is_not_null()
    return value.is_null() | exact


def _cast(name: str, dtype: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """A column in a type that holds all its values; nested values become JSON as text."""
    value = selectors.by_name(name).as_expr()  # by name: a column may be called `*`
    if wanted == pl.String:
        return stored_text(value, dtype).alias(name)
    if common(dtype, wanted) == wanted or wanted.is_nested():
        return value.cast(wanted).alias(name)
    return typed(value, dtype, wanted).alias(name)
