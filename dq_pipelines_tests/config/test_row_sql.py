"""An expression over a row reads nothing else, not even when it is parsed."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

from dq_pipelines.config.row_sql import beyond_the_row
from dq_pipelines.rules.library.sql import RowsSql
from dq_pipelines.transforms.steps import Derive, Filter


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """The address of a real server, and what it was asked for."""
    heard: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            heard.append(self.path)
            self.send_error(404)

        do_GET = do_HEAD

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x.csv", heard
        server.shutdown()


@pytest.mark.parametrize(
    "sql",
    [
        "id in (select a from \"read_csv\"('{url}'))",
        "id IN (SELECT a FROM Read_Parquet('{url}'))",
        "\"`'\" in (select nope from 'read_csv'('{url}')) or `'`=1",
        "1 in (from 'read_csv'('{url}'))",
        "1 in (/* ( */ from read_json/* */('{url}'))",
    ],
)
@pytest.mark.parametrize("kind", ["filter", "derive", "rule"])
def test_nobody_is_asked_when_an_expression_is_read(kind: str, sql: str, asked: tuple[str, list[str]]) -> None:
    url, heard = asked
    text = sql.format(url=url)
    said: dict[str, tuple[type[BaseModel], dict[str, object]]] = {
        "filter": (Filter, {"filter": text}),
        "derive": (Derive, {"derive": {"x": text}}),
        "rule": (RowsSql, {"type": "expect_rows_sql", "sql": text}),
    }
    model, value = said[kind]
    with pytest.raises(ValidationError, match=r'(?i)got "?read_'):
        model.model_validate(value)
    assert heard == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("status = 'select'", None),
        ("extract(year from day) > 2000", None),
        ('"select" > 1', None),
        ("note = 'read' and id in (" + ",".join(map(str, range(5_000))) + ")", None),
        (" and ".join(["x"] * 8_000), "more than 2,000 words and signs"),
        ("x" + "+1" * 8_000, "more than 2,000 words and signs"),
        ("id in (1, 2)", None),
        ("id in (select id from self)", "a subquery"),
        ("exists(SELECT 1)", "a subquery"),
        ("x > 1 or read_json_auto ('a') > 1", "read_json_auto, which reads files"),
    ],
)
def test_what_reads_more_than_the_row_is_named(sql: str, found: str | None) -> None:
    assert beyond_the_row(sql) == found


@pytest.mark.parametrize("sql", ["x + interval '1 foo'", "x at time zone 'foo'", "greatest()"])
def test_what_polars_does_not_take_is_one_sentence(sql: str) -> None:
    said: list[tuple[type[BaseModel], dict[str, object]]] = [
        (Derive, {"derive": {"x": sql}}),
        (RowsSql, {"type": "expect_rows_sql", "sql": sql}),
    ]
    for model, value in said:
        try:
            model.model_validate(value)
        except ValidationError as error:
            (found,) = error.errors()
            assert sql in found["msg"]
            assert "\n" not in found["msg"]
