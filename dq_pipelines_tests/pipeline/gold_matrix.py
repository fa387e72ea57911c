"""Values of each type of DuckDB, by themselves and within others, for gold tables that hold or refuse them.

Run as a program it publishes those that gold takes, and prints what lies in the lake then, as DuckDB's texts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from dq_pipelines.pipeline.gold import compute
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop, delta_of

#: By type, values that gold holds exactly: the least, the greatest, and what is easily mistaken.
HELD = {
    "boolean": ["true", "false"],
    "tinyint": ["-128", "127"],
    "smallint": ["-32768", "32767"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "utinyint": ["255"],
    "usmallint": ["65535"],
    "uinteger": ["4294967295"],
    "ubigint": ["18446744073709551615"],
    "hugeint": ["-9223372036854775808", "9007199254740993"],
    "uhugeint": ["9223372036854775807"],
    "float": ["'0.1'", "'nan'", "'-inf'"],
    "double": ["'0.1'", "'nan'", "'inf'", "'-0.0'", "'5e-324'"],
    "decimal(4,2)": ["'99.99'"],
    "decimal(9,0)": ["'-999999999'"],
    "decimal(18,6)": ["'123456789012.345678'"],
    "decimal(38,10)": ["'1234567890123456789012345678.0123456789'"],
    "decimal(38,0)": ["'99999999999999999999999999999999999999'"],
    "varchar": ["''", "'null'", "'ä 1'"],
    "json": ["'{\"a\":[1,null]}'"],
    "uuid": ["'00000000-0000-0000-0000-00000000000f'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "enum('a', 'b')": ["'b'"],
    "bit": ["'0010'"],
    "blob": ["''", "'\\x00\\xFF'"],
    "date": ["'0001-01-01'", "'9999-12-31'"],
    "time": ["'00:00:00'", "'23:59:59.999999'", "'24:00:00'"],
    "time_ns": ["'23:59:59.123456789'"],
    "timetz": ["'10:00:00+02'", "'23:59:59.5-11:30'"],
    "interval": ["'1 year 2 months 3 days 04:05:06.7'", "'-1 month'"],
    "timestamp_s": ["'1969-12-31 23:59:59'"],
    "timestamp_ms": ["'2024-03-10 02:30:00.123'"],
    "timestamp": ["'0001-01-01'", "'9999-12-31 23:59:59.999999'", "'2024-03-10 02:30:00'"],
    "timestamp_ns": ["'2024-03-10 02:30:00.123456'"],
    "timestamptz": ["'0001-01-01 00:00:00+00'", "'2024-03-10 02:30:00-05'", "'2011-12-30 12:00:00+00'"],
    '"null"': ["null"],
}  # fmt: skip

#: By type, values, or whole types, that gold refuses.
REFUSED = {
    "hugeint": ["9223372036854775808", "-170141183460469231731687303715884105728"],
    "uhugeint": ["340282366920938463463374607431768211455"],
    "bignum": ["'123456789012345678901234567890123456789012345678901234567890'"],
    "date": ["'infinity'", "'-infinity'", "'0044-03-15 (BC)'", "'10000-01-01'"],
    "timestamp": ["'infinity'", "'0044-03-15 (BC) 12:00:00'", "'10000-01-01'"],
    "timestamp_s": ["'infinity'"],
    "timestamp_ms": ["'-infinity'"],
    "timestamp_ns": ["'2024-03-10 02:30:00.123456789'", "'infinity'"],
    "timestamptz": ["'infinity'", "'10000-01-01 00:00:00+00'"],
    "timestamptz_ns": ["'2024-03-10 02:30:00+00'"],
    "union(a integer, b varchar)": ["'x'"],
    "variant": ["1"],
    "geometry": ["'POINT (1 2)'"],
    "struct()": ["{}"],
}  # fmt: skip

#: Hundreds of columns take minutes to measure, and nobody looks at it here.
_QUICK = "metrics: {columns: [c0]}\n"

#: How a value `{0}` stands in a column.
NESTINGS = {
    "alone": "{0}",
    "list": "[{0}, null]",
    "array": "array_value({0}, {0})",
    "struct": "{{'f': {0}, 'g h': null}}",
    "map": "map {{'k': {0}}}",
    "lists": "[[{0}], [], null]",
    "structs": "[{{'f': {0}}}, null]",
    "list in struct": "{{'f': [{0}]}}",
    "list in map": "map {{1: [{0}]}}",
    "struct in map": "map {{1: {{'f': {0}}}}}",
}

#: What depends on a zone: each with its value in UTC, where `seen` is 2024-07-01 02:30 UTC.
ZONED = {
    "cast(seen as date)": "2024-07-01",
    "cast(seen as timestamp)": "2024-07-01 02:30:00",
    "cast(seen as varchar)": "2024-07-01 02:30:00+00",
    "date_trunc('day', seen)": "2024-07-01 00:00:00+00",
    "strftime(seen, '%d %H:%M')": "01 02:30",
    "extract(hour from seen)": "2",
    "dayofweek(seen)": "1",
    "cast('2024-07-01 02:30:00' as timestamptz) = seen": "true",
    "seen + interval 1 month": "2024-08-01 02:30:00+00",
    "current_date = cast(now() at time zone 'UTC' as date)": "true",
    "cast(now() as date) = current_date": "true",
    "datediff('day', timestamptz '2024-06-30 23:00:00+00', seen)": "1",
}


def expressions(values: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Each value in each nesting: what it is, and as SQL."""
    for kind, some in values.items():
        for value in some:
            one = value if kind in ("struct()", '"null"') else f"cast({value} as {kind})"
            for name, nesting in NESTINGS.items():
                yield f"{kind} {value}, {name}", nesting.format(one)


def texts(rows: pa.Table) -> list[str | None]:
    """The values of the first row, as DuckDB writes them in UTC."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("rows", rows)
    columns = ", ".join(f'cast("{name}" AS VARCHAR)' for name in rows.column_names)
    found = connection.execute(f"SELECT {columns} FROM rows").fetchone()  # noqa: S608 - names of this file
    assert found is not None
    return list(found)


def main(root: Path) -> None:
    """Publish all that is held, and print `{expression: text}` as JSON."""
    shop = Workshop(root)
    shop.table(
        "moments",
        'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {columns: {seen: timestamp}}\n',
    )
    shop.land("a.csv", "seen\n2024-07-01T02:30:00Z\n")
    columns = [*(sql for _, sql in expressions(HELD)), *ZONED]
    query = ",\n    ".join(f"{sql} as c{number}" for number, sql in enumerate(columns))
    query = f"select {query}\n    from silver.moments -- done"  # noqa: S608 - expressions of this file
    shop.table("wide", f"gold:\n  sql: |\n    {query}\n{_QUICK}")
    shop.table("again", "gold: {sql: from gold.wide}\n" + _QUICK)
    with shop.instance:
        assert shop.run("moments").success
    # Not by Dagster, for which each column's lineage is found first, in a minute for all of these.
    tables = shop.project.tables
    for name in ("wide", "again"):
        compute(TableRun(tables[name], shop.lake))
    found = [delta_of(shop.lake.table(key)).to_pyarrow_table() for key in ("gold/wide", "gold/again")]
    wide, again = (texts(table.select([f"c{number}" for number in range(len(columns))])) for table in found)
    assert wide == again
    sys.stdout.write(json.dumps(dict(zip(columns, wide, strict=True))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
