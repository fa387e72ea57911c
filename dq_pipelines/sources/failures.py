"""Turns the errors of libraries that read files into SourceError, or Transient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dq_pipelines.config.library_errors import library_errors
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
    """The errors of readers of files and tables."""
    return library_errors("pyarrow", "polars", "deltalake")


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return error_text(error)
