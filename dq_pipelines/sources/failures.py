"""Turns the errors of libraries that read files into SourceError, or Transient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dq_pipelines.config.store_client import store_errors
from dq_pipelines.config.stores import error_text, is_transient
from dq_pipelines.errors import SourceError, Transient


@contextmanager
def broken(place: str, wanted: str = "a readable file") -> Iterator[None]:
    """Raise SourceError (Transient) `place: wanted …, got: …` for whatever a reader of files throws."""
    try:
        yield
    except GeneratorExit:
        raise  # a reader of whom no more is wanted: no error, and nothing to import the libraries for
    except errors_of_readers() as error:
        raise failure(f"{place}: wanted {wanted}, got: {error_text(error)}", error) from error


def failure(sentence: str, error: BaseException) -> SourceError:
    """The sentence as SourceError, or as Transient where the next try may go well."""
    return Transient(sentence) if is_transient(error) else SourceError(sentence)


def errors_of_readers() -> tuple[type[BaseException], ...]:
    """The errors of readers of files. Call it only when one was raised: the libraries take 0.15 s to import."""
    from polars.exceptions import PanicException, PolarsError
    from pyarrow import ArrowException

    # A panic is no Exception: unhandled, it would pass every handler above us and end the process.
    return (OSError, ArrowException, PolarsError, PanicException, *store_errors())


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return error_text(error)
