"""Python's answers about texts. A worker process gives those that may take for ever, with a limit for each rule and batch.

A regex of Python's may backtrack without end on some texts. Nothing interrupts it within the process, and it blocks all other
threads.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dq_pipelines.config.seconds import seconds_from_environment
from dq_pipelines.engine.backends.polars import text_worker
from dq_pipelines.engine.backends.polars.text_worker import FAILED, LENGTH, TOOK
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.auxiliary_queries import ByText, PythonRegex, ReadsAsJson

_VARIABLE = "DQ_REGEX_SECONDS"
_SECONDS = 10.0


def limit() -> float:
    """CPU seconds for one rule and batch: `DQ_REGEX_SECONDS`, by default 10; raises ConfigError for what is no number of seconds."""
    return seconds_from_environment(_VARIABLE, _SECONDS, 1e6)


class TextReader:
    """Answers for one rule and batch."""

    def __init__(self, query: ByText) -> None:
        self._query = query
        self._left = limit()
        self._lock = threading.Lock()

    def answers(self, texts: Sequence[str]) -> list[bool]:
        """For each text whether it is as wanted; raises RuleError when that takes too long."""
        request = _request(self._query)
        if request is None:
            return [self._query.says(text) for text in texts]
        with self._lock:
            if self._left <= 0 or any((request, text) in _too_slow for text in texts):
                raise _late()
            answers, took = _ask_worker(request, texts, self._left)
            self._left -= took
        return answers


#: `regex` with patterns, or `query` with a pickled query.
Request = tuple[str, Any]

#: Requests and texts over which a worker was ended: they take as long the next time.
_too_slow: set[tuple[Request, str]] = set()
_lock = threading.Lock()
_worker: subprocess.Popen[bytes] | None = None


def _request(query: ByText) -> Request | None:
    """The request to a worker; None where the answer takes no longer than the text is long."""
    if isinstance(query, PythonRegex):
        return "regex", (query.patterns, query.match_on)
    if isinstance(query, ReadsAsJson) and query.schema is not None and '"pattern' in query.schema:
        return "query", pickle.dumps(query)
    return None


def _late() -> RuleError:
    wanted = f"wanted answers of its regex within {limit():g} seconds of work over one batch ({_VARIABLE})"
    return RuleError(
        f"{wanted}, got one that goes back and forth over a text for longer: write it without nested repeats"
    )


def _ask_worker(request: Request, texts: Sequence[str], seconds: float) -> tuple[list[bool], float]:
    """The answers, and how many CPU seconds they took; raises RuleError for a worker that was ended."""
    message = pickle.dumps((*request, list(texts), seconds))
    wanted, answers = len(texts) + TOOK.size, b""
    with _lock:
        worker = _running()
        try:
            worker.stdin.write(LENGTH.pack(len(message)) + message)  # type: ignore[union-attr] # it is a pipe
            worker.stdin.flush()  # type: ignore[union-attr]
            answers = worker.stdout.read(wanted)  # type: ignore[union-attr]
        except OSError:
            pass  # it is gone, which the answers show
        finally:
            if len(answers) < wanted:
                _end()  # also after an interrupt: what is left in the pipe answers no later request
    if len(answers) < wanted:
        if len(answers) < len(texts) and seconds > limit() / 2:
            _too_slow.add((request, texts[len(answers)]))
        raise _late()
    if FAILED in answers[: len(texts)]:
        raise RuleError("wanted an answer over each text, got an error of Python's over one")
    return [byte == 1 for byte in answers[: len(texts)]], TOOK.unpack(answers[len(texts) :])[0]


def _running() -> subprocess.Popen[bytes]:
    global _worker  # noqa: PLW0603 - one for the process, as long as it lives
    if _worker is None or _worker.poll() is not None:
        path = Path(text_worker.__file__)
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(path.parents[4])}
        _worker = subprocess.Popen(  # noqa: S603 - this Python, and a file of ours
            [sys.executable, "-P", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    return _worker


def _end() -> None:
    global _worker  # noqa: PLW0603 - as above
    if _worker is not None:
        _worker.kill()
        _worker.wait()
        for pipe in (_worker.stdin, _worker.stdout):
            if pipe is not None:
                pipe.close()
        _worker = None


atexit.register(_end)


def _forget() -> None:
    """A worker is its starter's: a fork that asked it too would take the other's answers."""
    global _worker, _lock
    _worker, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
