"""Silver: from bronze rows to rows that can be judged. A pipeline is a tuple of steps; order is visible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import polars as pl

from dq_pipelines.config.stores import error_text
from dq_pipelines.engine.results.reasons import REASONS, reason, text_of
from dq_pipelines.errors import RuleError
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.bronze.batch import SYSTEM_COLUMNS, UNREADABLE
from dq_pipelines.pipeline.bronze.landed_names import resolved
from dq_pipelines.project import Silver
from dq_pipelines.project.checked_rules import key_rules
from dq_pipelines.rules.core.auxiliary_queries import ByText, Exists
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.library.functions import PythonFunction
from dq_pipelines.transforms.cast import FAILED, RAW, CastRule, cast, renamed
from dq_pipelines.transforms.exact_sql import filtered
from dq_pipelines.transforms.steps import OPAQUE, Cast, Deduplicate, Filter, Rename, Step

#: Before the names of hidden copies of landed columns; no input has such a name.
CARRIED = "_landed\x00"


@dataclass(frozen=True)
class Prepared:
    """Bronze rows on their way to be judged."""

    rows: pl.LazyFrame
    #: a rule per column whose type was changed
    casts: tuple[CastRule, ...] = ()
    #: rows that were split off on the way, with their reasons
    refused: tuple[pl.LazyFrame, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that will be published."""
        hidden = self.hidden
        return [name for name in self.rows.collect_schema() if name not in hidden]

    @property
    def hidden(self) -> frozenset[str]:
        """The columns that travel along and are not published."""
        of_casts = {f"{prefix}{rule.column}" for rule in self.casts for prefix in (RAW, FAILED)}
        carried = {name for name in self.rows.collect_schema() if name.startswith(CARRIED)}
        return frozenset(of_casts | carried | {*SYSTEM_COLUMNS, PARTITION})


SilverStep = Callable[[Prepared, Silver], Prepared]


def read_lines(prepared: Prepared, _: Silver) -> Prepared:
    """Leave out the lines that could not be read: they are no rows, and go to quarantine as they are."""
    return replace(prepared, rows=prepared.rows.filter(pl.col(UNREADABLE).is_null()))


def rename(prepared: Prepared, silver: Silver) -> Prepared:
    return replace(prepared, rows=renamed(prepared.rows, silver.columns))


def give_types(prepared: Prepared, silver: Silver) -> Prepared:
    rows, casts = cast(prepared.rows, silver.columns)
    return replace(prepared, rows=rows, casts=casts)


def transform(prepared: Prepared, silver: Silver) -> Prepared:
    rows, refused = prepared.rows, [*prepared.refused]
    # The casts whose failures travel along, and those of all steps.
    names = casts = [rule.column for rule in prepared.casts]
    for number, step in enumerate(silver.transform, start=1):
        if isinstance(step, OPAQUE) and names:
            refused.append(miscast(rows, names))
            rows, names = rows.filter(~any_failed(names)), []
        with _naming_the_step(number, step):
            rows = _applied(step, rows, names)
            columns = rows.collect_schema()
        if isinstance(step, Cast):
            more = [name for name in step.cast if f"{FAILED}{name}" in columns]
            names, casts = list(dict.fromkeys([*names, *more])), list(dict.fromkeys([*casts, *more]))
    columns = rows.collect_schema()
    return Prepared(
        rows, tuple(CastRule(column=name) for name in casts if f"{FAILED}{name}" in columns), tuple(refused)
    )


def _applied(step: Step, rows: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    if isinstance(step, Filter) and names:
        # A row may be left out because a cast has failed, of all things: it is to be refused, with the raw text.
        return filtered(rows, step.filter, or_if=any_failed(names))
    if isinstance(step, Deduplicate) and names:
        # Such a row will be refused: it must neither be left out for a good one nor push a good one out.
        failed = any_failed(names)
        return pl.concat([step.apply(rows.filter(~failed)), rows.filter(failed)])
    return step.apply(rows)


@contextmanager
def _naming_the_step(number: int, step: Step) -> Iterator[None]:
    """Say which step it is that does not fit the rows."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        name = type(step).__name__.lower()
        raise RuleError(f"transform, step {number} ({name}) does not run: {error_text(error)}") from None


SILVER_STEPS: tuple[SilverStep, ...] = (read_lines, rename, give_types, transform)


def prepare(silver: Silver, bronze_rows: pl.LazyFrame) -> Prepared:
    """Bronze rows, typed and transformed; raises RuleError when a declared column did not land."""
    silver = resolved(silver, bronze_rows.collect_schema())
    prepared = Prepared(bronze_rows)
    for step in SILVER_STEPS:
        prepared = step(prepared, silver)
    return prepared


def rules_of(silver: Silver, prepared: Prepared) -> list[Rule]:
    """The rules that judge the rows: the casts, the merge keys, then the table's own."""
    return [*prepared.casts, *key_rules(silver), *silver.rules]


def misread(silver: Silver, prepared: Prepared) -> dict[str, str]:
    """The flag that marks rows whose cell could not be read as its type, by the name of the judged column."""
    flags = {rule.column: f"{FAILED}{rule.column}" for rule in prepared.casts}
    for step in silver.transform:
        if isinstance(step, Rename):
            flags = {step.rename.get(name, name): flag for name, flag in flags.items()}
    return flags


def may_drop(silver: Silver) -> bool:
    """Whether a step can leave out or add rows, so that fewer or more are judged than were read."""
    return any(isinstance(step, (Filter, Deduplicate, *OPAQUE)) for step in silver.transform)


def hangs_on_others(silver: Silver, rules: Iterable[Rule]) -> bool:
    """Whether a row may be left out, or fail one of the `rules`, for what other rows of its batch are."""
    on_rows = [rule for rule in rules if isinstance(rule, RowRule)]
    looks_at_others = any(
        not isinstance(rule.auxiliary_query(), Exists | ByText | None) or isinstance(rule, PythonFunction)
        for rule in on_rows
    )
    return looks_at_others or any(isinstance(step, (Deduplicate, *OPAQUE)) for step in silver.transform)


def miscast(rows: pl.LazyFrame, casts: Sequence[str]) -> pl.LazyFrame:
    """The rows with a failed cast, with their reasons: split off before a step that may forget where rows came from."""
    columns = rows.collect_schema()
    landed = {name: text_of(columns[f"{RAW}{name}"], pl.col(f"{RAW}{name}")) for name in casts}
    given = [pl.when(pl.col(f"{FAILED}{name}")).then(reason("cast", name, landed[name])) for name in casts]
    return rows.filter(any_failed(casts)).with_columns(pl.concat_list(given).list.drop_nulls().alias(REASONS))


def any_failed(casts: Sequence[str]) -> pl.Expr:
    return pl.any_horizontal(*(pl.col(f"{FAILED}{name}") for name in casts)) if casts else pl.lit(False)
