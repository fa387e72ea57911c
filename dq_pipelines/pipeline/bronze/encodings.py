"""The check on encodings of files that landed: which of them are guesses."""

from __future__ import annotations

from collections.abc import Sequence

from dq_pipelines.history.store.records import ENCODING_GUESSED, ResultRecord
from dq_pipelines.sources.base import FileReport

#: Files that are named in one sentence.
_MOST_NAMED = 3


def in_doubt(files: Sequence[FileReport]) -> list[FileReport]:
    """The files whose encoding was guessed without being sure, least sure first."""
    return sorted((file for file in files if not file.encoding.is_sure), key=lambda file: file.encoding.confidence)


def as_result(unsure: Sequence[FileReport]) -> ResultRecord:
    """The check's result in the history."""
    return ResultRecord.on_inputs(ENCODING_GUESSED, [file.source for file in unsure[:_MOST_NAMED]], _sentence(unsure))


def _sentence(unsure: Sequence[FileReport]) -> str:
    if not unsure:
        return ""
    named = [f"{file.source} as {file.encoding.encoding} ({_how_sure(file)})" for file in unsure[:_MOST_NAMED]]
    more = f" and {len(unsure) - _MOST_NAMED} more files" if len(unsure) > _MOST_NAMED else ""
    return f"the encoding is a guess: {'; '.join(named)}{more}; name it with `encoding` under `source`"


def _how_sure(file: FileReport) -> str:
    guess = file.encoding
    other = f", else {guess.alternative}" if guess.alternative else ""
    return f"{guess.confidence:.0%} sure{other}"
