"""Shortens Dagster's log for operators: one line per event, and a traceback only for unexpected errors."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.errors import (
    DagsterExecutionInterruptedError,
    DagsterUserCodeUnreachableError,
)

from dq_pipelines.web.dagster_client.supervision import say

#: A code server is unavailable, or a process was told to end: supervision logs it, and restarts the process.
_EXPECTED = (DagsterUserCodeUnreachableError, DagsterExecutionInterruptedError, KeyboardInterrupt)
#: Python's warning about semaphores after a process was killed.
_OF_KILLED = "ignore::UserWarning:multiprocessing.resource_tracker"


@contextmanager
def one_line_per_event(log_level: str) -> Iterator[None]:
    """Within the block, this process logs expected errors as one line each; at level `debug`, everything unchanged."""
    if log_level == "debug":
        yield
        return
    make, show, filters = logging.getLogRecordFactory(), warnings.showwarning, os.environ.get("PYTHONWARNINGS")

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return _shortened(make(*args, **kwargs))

    def shown(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        if _is_about_expected(str(message)):
            say(_first_line(str(message)))
        else:
            show(message, *args, **kwargs)

    logging.setLogRecordFactory(made)
    warnings.showwarning = shown
    os.environ["PYTHONWARNINGS"] = ",".join(
        filter(None, [filters, _OF_KILLED])
    )  # for processes that are started from here on
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)
        warnings.showwarning = show
        os.environ.pop("PYTHONWARNINGS")
        if filters is not None:
            os.environ["PYTHONWARNINGS"] = filters


def _shortened(record: logging.LogRecord) -> logging.LogRecord:
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if isinstance(error, _EXPECTED):
        record.msg = f"{record.getMessage()}: {_first_line(str(error)) or type(error).__name__}"
        record.args, record.exc_info = (), None
    elif _is_about_expected(message := record.getMessage()):
        record.msg, record.args = _first_line(message), ()
    return record


def _is_about_expected(message: str) -> bool:
    """Whether a message contains an expected error with its traceback, as Dagster writes it."""
    first = _first_line(message)
    return first != message.strip() and any(f"{error.__name__}: " in first for error in _EXPECTED)


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")
