"""Finds damage to a Delta table's log, and names the remedy."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.errors import PublishError
from dq_pipelines.lake.failures import read_errors
from dq_pipelines.lake.formats.base import Damage
from dq_pipelines.lake.formats.delta.log import Log
from dq_pipelines.lake.formats.delta.open_tables import opened
from dq_pipelines.lake.formats.delta.types import FOLDER
from dq_pipelines.lake.formats.snapshot import Place


def damages(place: Place) -> Iterator[Damage]:
    """The first of: a torn newest commit, a checkpoint without its commit or lost, a torn checkpoint, any other reason why the table cannot be opened."""
    with read_errors(place.key, place.uri):
        log = Log.as_it_lies(place.key, place.uri)
    if log is None:
        return
    if torn := log.torn_newest():
        yield _lost(log, place, torn, "the torn commit", log.checkpoint_of(log.version))
    elif lone := log.lone_checkpoint():
        yield _lost(log, place, lone, "the checkpoint without its commit", log.checkpoint_of(log.version)[1:])
    elif lost := log.lost_checkpoint():
        path, _, sentence = lost.partition(": ")
        remedy = f"put the checkpoint back, or {place.key}/{FOLDER} from a copy made by dq backup"
        what = "the hint to a lost checkpoint" if log.says_all_up_to(log.version) else ""
        yield Damage(path, sentence, remedy, what, (), "the commits say the same")
    elif torn := log.torn_checkpoint():
        path, _, sentence = torn.partition(": ")
        hint = f"{path.rpartition('/')[0]}/_last_checkpoint"
        remedy = "put it back from a copy where commits before it are gone"
        what = "the torn checkpoint" if log.is_whole else ""  # the commits have all that it had
        yield Damage(path, sentence, remedy, what, (hint,), "the commits say the same")
    else:
        try:
            opened(place)
        except PublishError as error:
            path, _, sentence = str(error).partition(": ")
            remedy = f"put {place.key}/{FOLDER} back from a copy made by dq backup"
            yield Damage(path, sentence, remedy)


def _lost(log: Log, place: Place, sentence: str, what: str, companions: tuple[str, ...]) -> Damage:
    """A newest version that is to be given up, with all its files, for the one before it."""
    path, _, sentence = sentence.partition(": ")
    if companions and not log.says_all_up_to(log.version - 1):
        return Damage(path, sentence, f"put {place.key}/{FOLDER} back from a copy made by dq backup")
    layer, _, name = place.key.partition("/")
    mode = " with mode: rerun" if layer in ("bronze", "quarantine") else ""
    again = f"run {name}{mode}, which makes what it held anew"
    return Damage(path, sentence, "dq doctor --repair moves it away", what, companions, again)
