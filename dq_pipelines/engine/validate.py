"""`dq.validate`: rules on any data, outside a project. Frames, paths and rule files come in here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from dq_pipelines.engine.backends.base import Backend
from dq_pipelines.engine.backends.frames import frame_from, is_pandas, rows_and_unreadable
from dq_pipelines.engine.backends.pandas.results import in_pandas_terms
from dq_pipelines.engine.backends.registry import connect, owner
from dq_pipelines.engine.judge import judge
from dq_pipelines.engine.results.result_format import ROW, Format, ResultFormat
from dq_pipelines.engine.results.samples import Samples
from dq_pipelines.engine.results.verdict import Verdict
from dq_pipelines.engine.statistics import statistics_of_file
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.rules import Rule, rule_from

if TYPE_CHECKING:
    from dq_pipelines.engine.rules_file import RulesFile


def validate(
    data: Any,
    rules: Any,
    *,
    engine: str = "polars",
    result_format: ResultFormat | Mapping[str, Any] | Format = "SUMMARY",
) -> Verdict:
    """Judge `data` by `rules` and return the verdict.

    `data` is one of:

    - a Polars, pandas, Arrow, DuckDB or Spark frame;
    - a path: CSV, Parquet, ORC, JSON, NDJSON, Excel, or the folder of a Delta table;
    - the name of a table in the engine's database.

    `engine` judges: `polars`, `duckdb`, `spark`, `postgresql`, or an address (`spark://…`, `sc://…`, `postgresql://…`).
    Frames and tables of its own it judges where they are.

    `rules` is a list of rule mappings, flat or as Great Expectations writes them. It may also be the path of a YAML list of
    them, or of a GX suite in JSON.

    `result_format` is BOOLEAN_ONLY, BASIC, SUMMARY or COMPLETE, or a mapping with it and GX's options.

    A rule that does not fit the data is a failed result with its `error`, as in GX. No rule judges lines of a file that
    cannot be read: `meta["unreadable_lines"]` of the verdict counts them, and UnreadableLines warns of them.

    Raises ConfigError for rules or an engine that do not exist, SourceError for data that cannot be read.
    """
    wanted, backend = Format.of(result_format), connect(engine)
    known_rules = [rule.in_full() if wanted.name == "COMPLETE" else rule for rule in rules_from(rules)]
    own, as_pandas = backend.owns(data) and not backend.has_row_order, is_pandas(data) and backend.has_row_order
    rows, meta = (None, dict[str, Any]()) if own else _rows_of(data)
    # Rows are numbered where the result shows their places and it costs no second look at a file.
    numbered = not own and (wanted.name == "COMPLETE" or (wanted.name == "SUMMARY" and as_pandas))
    frame = _frame(backend, data, rows, numbered=numbered)
    types = dict[str, pl.DataType]() if rows is None else dict(rows.collect_schema())
    hidden = frozenset({ROW} if numbered else ())
    scan = backend.scan(frame, known_rules, hidden=hidden, statistics=statistics_of_file(data, types), types=types)
    samples = _samples(wanted)
    judgement = judge(scan, samples=samples)
    results = judgement.results
    if as_pandas:
        results = in_pandas_terms(results, data, scan.rows, samples.most, numbered=numbered)
    kept, refused = (one.drop(ROW) if numbered else one for one in (judgement.scan.kept, judgement.scan.refused))
    return Verdict(results, kept, refused, {"engine": backend.name} | meta, wanted)


def _rows_of(data: Any) -> tuple[pl.LazyFrame, dict[str, Any]]:
    """The data as a Polars frame, read through the backend that they lie in; and what the verdict says of missing lines."""
    keeper = owner(data)
    if keeper is not None:
        return keeper.rows(keeper.open(data)), {}
    if not isinstance(data, str | Path):
        return frame_from(data), {}
    rows, unreadable = rows_and_unreadable(str(data))
    return rows, {"unreadable_lines": unreadable} if unreadable else {}


def _frame(backend: Backend, data: Any, rows: pl.LazyFrame | None, *, numbered: bool) -> Any:
    """The data as a frame of the backend; `rows` are the data as a Polars frame, None where the backend owns them."""
    if rows is None:
        return backend.open(data)
    if numbered:
        return backend.open(rows.with_row_index(ROW))
    return backend.open_file(data, rows) if isinstance(data, str | Path) else backend.open(rows)


def _samples(wanted: Format) -> Samples:
    """The failing rows that the results will show, and no more of them than they show."""
    most = {"COMPLETE": None, "BOOLEAN_ONLY": 0}.get(wanted.name, wanted.most_listed)
    return Samples(most, more_columns=None if wanted.with_rows else wanted.index_columns)


def _file_at(path: Path) -> RulesFile:
    # YAML takes 25 ms to import: whoever has rules at hand needs none.
    from dq_pipelines.engine.rules_file import read_rules_file

    return read_rules_file(path)


def rules_from(rules: Any) -> list[Rule]:
    """Rules from mappings, a YAML list of rules, or a GX suite in JSON; every problem at once."""
    file = _file_at(Path(rules)) if isinstance(rules, str | Path) else None
    items = file.rules if file is not None else rules
    if isinstance(items, Mapping):
        items = items.get("expectations", items.get("rules"))
    if not isinstance(items, Iterable):
        raise ConfigError([Problem("", 0, "wanted a list of rules, or a mapping with `rules` or `expectations`")])
    known, problems = [], []
    for index, item in enumerate(items):
        try:
            known.append(rule_from(item, as_gx_does=True))
        except ConfigError as error:
            problems += [file.problem((index,), one.message) if file else one for one in error.problems]
    if problems:
        raise ConfigError(problems)
    return known
