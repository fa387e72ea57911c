"""The reference of what gold takes, written from the table of DuckDB's types."""

from __future__ import annotations

from dq_pipelines.engine.gold.types import PUBLISHED, REFUSED, Published

_ABOUT = """# Gold

Written by `dq docs` from the code; do not edit.

A gold table is computed whole, by a query or a function, and replaces the one before. **What it gives is published exactly, or the
run fails in a sentence** that names the column, its type, and what to write instead. No value is rounded, cut, moved to another
zone or made a float, and nothing is published then.

```yaml
gold:
  sql: |
    select store, cast(sold_at as date) as day, sum(amount) as revenue
    from silver.sales group by all      -- a comment, and a semicolon at the end, may stay
automation: eager
```

## Names

Each column has a name of its own. Delta does not tell `id` from `ID`, so a query that gives both, or one name twice, is refused:
write `b.id as b_id`, or `select a.*, b.* exclude (id)`. So are names that the lake keeps for itself (`_source`, `_row`, `_batch`
and others, but not `_partition`, which `select *` gives of a table in partitions), empty ones, and those with a newline or
another control character.

## SQL

One SELECT in DuckDB's SQL: with CTEs, `FROM` first, `PIVOT` within it (`select * from (pivot …)`), or set operations.

The zone is UTC, whatever the machine's is: `cast(seen as date)`, `date_trunc`, `strftime`, `extract`, `current_date` and texts of
moments are the same everywhere. For another zone say it: `timezone('America/New_York', seen)`.

| type of DuckDB | in gold | refused |
|---|---|---|"""

_NESTED = """
Lists, structs and maps hold what the table says of the types in them, at any depth. An array becomes a list. A map with nested
keys, a struct without fields and `row(…)` without names are refused. A column of nulls alone is `string`. `sum` of integers is
`hugeint` in DuckDB, so it is `int64` here: cast sums that pass 64 bits to `decimal(38, 0)`. A number of 39 digits fits `varchar` alone,
or `double`, which keeps about 15 of them.

| refused whatever its values | write instead |
|---|---|"""

_FUNCTIONS = """
## Functions

`python: module:function` with `inputs` is called with a lazy Polars frame for each input, as the argument of the table's name:
`def daily(sales, stores)` for `inputs: [silver/sales, silver/stores]`. A lazy plan or a generator that it returns runs once. It
may return:

| returned | taken as |
|---|---|
| Polars `LazyFrame`, `DataFrame` | its rows |
| pandas `DataFrame` | its columns; those of an index that has a name come first, an index without one is left out; NaN is null, as in pandas |
| Arrow table, record batch or reader, or what gives an Arrow stream | its rows |
| DuckDB relation | its rows, in the types above |
| list, iterator or generator of dicts | a row for each; a key that a row does not have is null |
| list, iterator or generator of frames | the rows of all, which have the same columns |

Anything else, `None` too, is refused, with what was returned. A function that raises is told with its file, line and error.
Unsigned integers become wider ones, integers of 128 bits `decimal(38,0)`, times of day and durations text, categories text,
moments with a zone UTC. Refused are: nanoseconds that are no whole microseconds, years other than 1 to 9999, integers and decimals of
more than 38 digits, values of several types in one column (such as text and numbers, or moments with and without a zone), UUIDs
of Arrow, intervals of months, Python objects and structs without fields.

## Eager gold

With `automation: eager` Dagster's sensor `eager_gold` asks for a run once for each publication of an input, when each input is published
(of one in partitions: any partition) and none is under way. A day without a file, today's that is not there yet, and midnight
hold nothing back. Refused rows do not, either: the other rows are published. An input whose batch is blocked publishes nothing, so
nothing is asked for; while one of its partitions is blocked and another is published, the run ends with the sentence that it
waits. Bronze, quarantine and checks alone ask for nothing. A chain of eager tables is one run. A run that was killed is tried
again by Dagster's run retries; one that failed by itself waits for the next publication. A scheduled run that finds nothing new
counts as a publication to Dagster, and computes gold once more."""


def gold_page() -> str:
    """What gold takes and refuses, as Markdown."""
    rows = [_row(name, known) for name, known in PUBLISHED.items()]
    refused = [f"| `{name}` | {_code(instead)} |" for name, instead in REFUSED.items()]
    return "\n".join([_ABOUT, *rows, _NESTED, *refused, _FUNCTIONS]) + "\n"


def _row(name: str, known: Published) -> str:
    said = "a column of nulls" if name == "null" else f"`{name}`"
    refused = f"other than {known.wanted}: cast to `{known.otherwise.lower()}`" if known.misfit else ""
    return f"| {said} | `{known.name}` | {refused} |"


def _code(instead: str) -> str:
    told = instead.format("x")
    return told if told.startswith("a struct") else f"`{told}`"
