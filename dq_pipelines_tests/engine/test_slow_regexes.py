"""Regexes that only Python can run: their answers are Python's, and one that backtracks for ever fails its rule and no more."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dq_pipelines as dq
from dq_pipelines.engine.backends.polars import texts
from dq_pipelines.engine.backends.polars.texts import TextReader, limit
from dq_pipelines.errors import ConfigError, RuleError
from dq_pipelines.rules.core.auxiliary_queries import PythonRegex, ReadsAsJson, validator_of

pytestmark = pytest.mark.slow

#: Python takes some years over them.
ENDLESS, TEXT = r"^(a+)+(?!b)$", "a" * 60 + "c"


@pytest.fixture(autouse=True)
def _half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_REGEX_SECONDS", "0.5")  # of work, not of waiting: a busy machine changes nothing


def test_a_regex_without_end_fails_its_rule_in_one_sentence_and_the_others_go_on() -> None:
    rows = pl.DataFrame({"x": [TEXT, "ok", None], "y": [1, 2, None]})
    rules = [
        {"type": "expect_column_values_to_match_regex", "column": "x", "regex": ENDLESS},
        {"type": "expect_column_values_to_match_regex", "column": "x", "regex": r"^(?=o)"},
        {"type": "expect_column_values_to_not_be_null", "column": "y"},
    ]
    endless, other, nulls = dq.validate(rows, rules).results
    assert not endless.success
    assert "wanted answers of its regex within 0.5 seconds of work over one batch (DQ_REGEX_SECONDS)" in (
        endless.error or ""
    )
    assert (other.error, other.unexpected_count) == (None, 1)
    assert (nulls.error, nulls.unexpected_count) == (None, 1)


def test_a_worker_that_was_ended_is_gone_and_another_answers() -> None:
    assert TextReader(PythonRegex("x", ("(?=a)",))).answers(["a", "b"]) == [True, False]
    worker = texts._worker
    assert worker is not None
    with pytest.raises(RuleError):
        TextReader(PythonRegex("x", (ENDLESS, "another"))).answers(["fine", TEXT])
    assert worker.poll() == -signal.SIGKILL or worker.poll() == -signal.SIGVTALRM
    # What is known to have no end is not begun again, and anything else is asked.
    began = time.process_time()
    with pytest.raises(RuleError):
        TextReader(PythonRegex("x", (ENDLESS, "another"))).answers([TEXT])
    assert time.process_time() - began < 0.4
    assert TextReader(PythonRegex("x", (ENDLESS, "another"))).answers(["fine", "another"]) == [False, True]


def test_many_texts_share_the_time_of_a_rule_and_batch() -> None:
    reader = TextReader(PythonRegex("x", (r"^(a+)+(?!b)$",)))
    some = ["a" * 20 + letter for letter in "cdefghijklmnopqrstuvwxyz"]
    assert reader.answers(["a"]) == [True]
    with pytest.raises(RuleError):  # each of them takes a moment
        _ = [reader.answers([text]) for text in some * 20]


@given(st.lists(st.text("ab1\n", max_size=8), max_size=20))
@settings(deadline=None, max_examples=50)
def test_the_answers_are_those_of_python(found: list[str]) -> None:
    patterns = (r"(.)\1", r"(?<!a)b", r"^(?=.*\d)a")
    for match_on in ("any", "all"):
        wanted = [(any if match_on == "any" else all)(re.search(p, text) for p in patterns) for text in found]
        assert TextReader(PythonRegex("x", patterns, match_on)).answers(found) == wanted


def test_a_schema_with_patterns_has_the_same_limit_and_asks_no_other_machine() -> None:
    schema = '{"type": "string", "pattern": "^(a+)+(?!b)$"}'
    assert TextReader(ReadsAsJson("x", schema)).answers(['"aaa"', "1"]) == [True, False]
    with pytest.raises(RuleError, match="wanted answers of its regex"):
        TextReader(ReadsAsJson("x", schema)).answers([f'"{TEXT}"'])
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        with pytest.raises(Exception, match=re.escape(address)):
            validator_of({"$ref": address}).is_valid(1)
        with pytest.raises(TimeoutError):
            server.accept()


ASKS = """
import sys
from dq_pipelines.engine.backends.polars import texts
from dq_pipelines.rules.core.auxiliary_queries import PythonRegex
texts.TextReader(PythonRegex("x", ("(?=a)",))).answers(["a"])
print(texts._worker.pid, flush=True)
texts.TextReader(PythonRegex("x", (sys.argv[1],))).answers([sys.argv[2]])
"""


def test_a_worker_ends_although_whoever_asked_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", ASKS, ENDLESS, TEXT], stdout=subprocess.PIPE, text=True) as asks:
        assert asks.stdout is not None
        pid = int(asks.stdout.readline())
        asks.kill()
    until = time.monotonic() + 120
    while _runs(pid):
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_the_time_is_a_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DQ_REGEX_SECONDS", text)
    with pytest.raises(ConfigError, match="DQ_REGEX_SECONDS: wanted a number of seconds above 0"):
        limit()
    assert os.environ["DQ_REGEX_SECONDS"] == text
