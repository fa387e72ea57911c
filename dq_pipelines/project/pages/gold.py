"""Generates `docs/gold.md` from the table of DuckDB's types."""

from __future__ import annotations

from dq_pipelines.engine.gold.types import PUBLISHED, REFUSED, Published

_ABOUT = """# Gold

Written by `dq docs` from the code; do not edit.

A query or a function computes the whole gold table, which replaces the previous one. **The result is published exactly, or the
run fails with a message** that names the column, its type, and what to write instead; then nothing is published. No value is
rounded, truncated, moved to another zone or turned into a float.

```yaml
gold:
  sql: |
    select store, cast(sold_at as date) as day, sum(amount) as revenue
    from silver.sales group by all      -- a comment, and a semicolon at the end, may stay
automation: eager
```

## Names

Column names are unique. Delta does not distinguish `id` from `ID`, so a query that gives both, or one name twice, is refused:
write `b.id as b_id`, or `select a.*, b.* exclude (id)`. Also refused are names that the lake reserves (`_source`, `_row`, `_batch`
and others, but not `_partition`, which `select *` gives of a partitioned table), empty names, and those with a newline or
another control character.

## SQL

One SELECT in DuckDB's SQL: with CTEs, `FROM` first, `PIVOT` within it (`select * from (pivot …)`), or set operations.

The time zone is UTC on every machine: `cast(seen as date)`, `date_trunc`, `strftime`, `extract`, `current_date` and texts of
moments give the same everywhere. Name another zone explicitly: `timezone('America/New_York', seen)`.

| type of DuckDB | in gold | refused |
|---|---|---|"""

_NESTED = """
The table also holds for the types within lists, structs and maps, at any depth. An array becomes a list. A map with nested
keys, a struct without fields and `row(…)` without names are refused. A column of only nulls is `string`. `sum` of integers is
`hugeint` in DuckDB, so it is `int64` here: cast sums of more than 64 bits to `decimal(38, 0)`. A number of 39 digits fits only `varchar`,
or `double`, which keeps about 15 of them.

| always refused | write instead |
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

Anything else, `None` too, is refused, with what was returned. If a function raises, the message gives its file, line and error.
Unsigned integers become wider ones, integers of 128 bits `decimal(38,0)`. Times of day, durations and categories become text.
Moments with a zone become UTC. Refused are: nanoseconds that are not whole microseconds, years other than 1 to 9999, integers and decimals of
more than 38 digits, values of several types in one column (such as text and numbers, or moments with and without a zone), UUIDs
of Arrow, intervals of months, Python objects and structs without fields.

## Eager gold

With `automation: eager`, Dagster's sensor `eager_gold` requests one run for each publication of an input. It waits until every input
is published (of a partitioned one: any partition) and none is being materialized. A day without a file, a missing file of today, and
midnight hold nothing back. Nor do refused rows: the other rows are published. An input whose batch is blocked publishes nothing, so
it requests no run. While one of its partitions is blocked and another is published, the run ends with the message that it
waits. Bronze, quarantine and checks alone request no run. A chain of eager tables is one run. Dagster's run retries repeat a run that was
killed; a run that failed by itself waits for the next publication. A scheduled run that finds nothing new
counts as a publication to Dagster, and computes gold once more."""


def gold_page() -> str:
    """The page as Markdown."""
    rows = [_row(name, known) for name, known in PUBLISHED.items()]
    refused = [f"| `{name}` | {_code(instead)} |" for name, instead in REFUSED.items()]
    return "\n".join([_ABOUT, *rows, _NESTED, *refused, _FUNCTIONS]) + "\n"


def _row(name: str, known: Published) -> str:
    type_name = "a column of nulls" if name == "null" else f"`{name}`"
    refused = f"other than {known.wanted}: cast to `{known.otherwise.lower()}`" if known.misfit else ""
    return f"| {type_name} | `{known.name}` | {refused} |"


def _code(instead: str) -> str:
    advice = instead.format("x")
    return advice if advice.startswith("a struct") else f"`{advice}`"
