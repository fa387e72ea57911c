"""Rules on the results of SQL queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from dq_pipelines.rules.core.base import Example, Mostly
from dq_pipelines.rules.core.on_tables import QueryRule
from dq_pipelines.rules.core.query import PLACEHOLDER, Query, check

#: A SELECT over `{batch}` and tables as `<layer>.<table>`.
Sql = Annotated[str, AfterValidator(check)]

#: GX compares at most so many rows.
_MOST_ROWS = 200


def _of_the_batch(sql: str) -> str:
    if PLACEHOLDER not in sql:
        raise ValueError(f"query {sql!r}: wanted {PLACEHOLDER} in it, the name of the judged rows")
    return check(sql)


class NoUnexpectedRows(QueryRule):
    """The query returns no rows: `{batch}` names the judged rows, `<layer>.<table>` another table.

    The observed value is the number of rows that it returns.
    """

    type: Literal["unexpected_rows_expectation", "expect_query_to_return_no_rows"]
    title_template: ClassVar[str] = "the query returns no rows: {unexpected_rows_query}"
    #: such as `SELECT * FROM {batch} b LEFT JOIN silver.products p ON b.product_id = p.id WHERE p.id IS NULL`
    unexpected_rows_query: Annotated[str, AfterValidator(_of_the_batch)]

    #: the contract suite's other table is `silver/other`, with column `id`: 1, 2, null
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 2]}, {"unexpected_rows_query": "SELECT * FROM {batch} WHERE x > 2"}, {"success": True}),
        Example(
            {"x": [1, 2, 3]},
            {
                "unexpected_rows_query": "SELECT * FROM {batch} b LEFT JOIN silver.other o ON b.x = o.id WHERE o.id IS NULL"
            },
            {"success": False},
        ),
    )

    @property
    def queries(self) -> tuple[Query, ...]:
        return (Query(self.unexpected_rows_query),)

    def conclude(self, *found: Sequence[Mapping[str, Any]]) -> Any:
        return list(found[0])

    def accepts(self, observed: Any) -> bool:
        return not observed

    def fields(self, observed: Any, *, complete: bool) -> Mapping[str, Any]:
        details = {"details": {"unexpected_rows": observed[:_MOST_ROWS]}} if complete else {}
        return {"observed_value": len(observed), **details}


class QueryResultsMatch(QueryRule):
    """Two queries return the same rows equally often, in any order and with any column names; 200 of each are compared.

    `mostly` is the least share of matching rows in the longer of the two results.
    """

    type: Literal["expect_query_results_to_match_comparison"]
    title_template: ClassVar[str] = "the results of two queries are the same"
    #: over the judged rows, `{batch}`
    base_query: Sql
    #: GX's data source of the comparison; here it runs in the same engine, and names tables as `<layer>.<table>`
    comparison_data_source_name: str
    comparison_query: Sql
    mostly: Mostly = 1

    #: the contract suite's other table is `silver/other`, with column `id`: 1, 2, null
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": [2, 1]},
            {
                "base_query": "SELECT x FROM {batch}",
                "comparison_data_source_name": "other",
                "comparison_query": "SELECT id FROM silver.other WHERE id IS NOT NULL",
            },
            {"success": True},
        ),
        Example(
            {"x": [1, 1, 2]},
            {
                "base_query": "SELECT COUNT(*) AS n FROM {batch}",
                "comparison_data_source_name": "other",
                "comparison_query": "SELECT COUNT(id) AS n FROM silver.other",
            },
            {"success": False},
        ),
    )

    @property
    def queries(self) -> tuple[Query, ...]:
        return (Query(self.base_query, _MOST_ROWS), Query(self.comparison_query, _MOST_ROWS))

    def conclude(self, *found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        base, wanted = (Counter(tuple(row.values()) for row in rows) for rows in found)
        names, wanted_names = (list(rows[0]) if rows else [] for rows in found)
        longest = max(base.total(), wanted.total())
        unexpected = longest - (base & wanted).total()
        return {
            "unexpected_count": unexpected,
            "unexpected_percent": unexpected / longest * 100 if longest else 0.0,
            "missing_rows": _rows(wanted - base, wanted_names),
            "unexpected_rows": _rows(base - wanted, names),
        }

    def accepts(self, observed: Any) -> bool:
        return bool(100 - observed["unexpected_percent"] >= self.mostly * 100)

    def fields(self, observed: Any, *, complete: bool) -> Mapping[str, Any]:
        rows = {name: observed[name] for name in ("missing_rows", "unexpected_rows")}
        found = {name: value for name, value in observed.items() if name not in rows}
        return {**found, "details": rows} if complete else found


def _rows(counted: Counter[tuple[Any, ...]], names: list[str]) -> list[dict[str, Any]]:
    """The sorted rows, those with missing values first."""
    rows = sorted(counted.elements(), key=lambda row: [(value is not None, str(value)) for value in row])
    return [dict(zip(names, row, strict=True)) for row in rows]
