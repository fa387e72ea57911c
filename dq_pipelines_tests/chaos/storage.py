"""Storage faults: what is done to the files of an installation between two runs, and what the run that meets it must say.

A fault is planted by a process that has used no library yet, for it forks the runs. Kills belong in `kills`.
"""

from __future__ import annotations

import ctypes
import random
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from dq_pipelines_tests.workshop import Ran, Workshop

#: `_LINUX_CAPABILITY_VERSION_3`, and CAP_DAC_OVERRIDE with CAP_DAC_READ_SEARCH as bits.
_CAPABILITY_VERSION, _DAC = 0x20080522, 0b110


@dataclass(frozen=True)
class StorageFault:
    """One kind of fault."""

    kind: str
    #: done before the run; what it holds is let go after it
    plant: Callable[[Path, random.Random], AbstractContextManager[None]]
    #: done in the run's own process
    within: Callable[[Path, random.Random], None] = lambda _root, _chance: None
    #: whether the run must go well all the same, must fail in a sentence, or may do either
    ends: str = "well"
    #: what a person does then, in a process of its own
    heal: Callable[[Workshop], None] = lambda _shop: None


def met(shop: Workshop, fault: StorageFault, chance: random.Random) -> None:
    """A run that meets a fault: it goes well, or fails in one sentence for each step."""
    from dq_pipelines.config import database

    database._BUSY_TIMEOUT = 0.3
    fault.within(shop.root, chance)
    ran: Ran = shop.run()
    said = dict(ran.failures)  # an error that nobody meant ends this process
    assert all("\n" not in line for line in said.values()), said
    assert fault.ends == "either" or (fault.ends == "well") == ran.success, (fault.kind, said)


# --- the history -----------------------------------------------------------------------------------


@contextmanager
def _locked(root: Path, _: random.Random) -> Iterator[None]:
    connection = sqlite3.connect(root / "history.db")
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


def _empty_history(root: Path, _: random.Random) -> AbstractContextManager[None]:
    for beside in root.glob("history.db-*"):
        beside.unlink()
    (root / "history.db").write_bytes(b"")
    return nullcontext()


@contextmanager
def _damaged_history(root: Path, chance: random.Random) -> Iterator[None]:
    content = (root / "history.db").read_bytes()
    for beside in root.glob("history.db-*"):
        beside.unlink()
    keep = chance.choice([0, 100, 5000])
    (root / "history.db").write_bytes(content[:keep] + chance.randbytes(max(len(content) - keep, 9000)))
    yield
    (root / "history.db").unlink()  # as the sentence says; there is no backup here


def _older_history(root: Path, _: random.Random) -> AbstractContextManager[None]:
    connection = sqlite3.connect(root / "history.db")
    connection.execute("DROP TABLE IF EXISTS dq_schema_versions")
    connection.commit()
    connection.close()
    return nullcontext()


# --- the lake --------------------------------------------------------------------------------------


def _torn_commit(root: Path, chance: random.Random) -> AbstractContextManager[None]:
    name = chance.choice(["silver/events", "silver/accounts", "gold/totals"])
    path = max((root / "lake" / name / "_delta_log").glob("*.json"))
    path.write_bytes(path.read_bytes()[: chance.choice([0, 90])])
    return nullcontext()


def _torn_aside(root: Path, chance: random.Random) -> AbstractContextManager[None]:
    (root / "lake/.aside").mkdir(exist_ok=True)
    (root / "lake/.aside/events.json").write_bytes(chance.choice([b"", b"{}", b'[{"uri": "x', b"[1]"]))
    return nullcontext()


def _torn_claim(root: Path, chance: random.Random) -> AbstractContextManager[None]:
    (root / "lake/.claims/events").write_bytes(chance.choice([b"\0" * 50, b'["silver/even', b"[1, 2]\n", b"\xff]\n"]))
    return nullcontext()


def _left_staged(root: Path, _: random.Random) -> AbstractContextManager[None]:
    folder = root / "lake/silver/events/b-killed/1"
    folder.mkdir(parents=True)
    (folder / "0.parquet").write_bytes(b"half of a fi")
    (root / "lake/.claims/events").write_text('["silver/events", "b-killed", null]\n')
    return nullcontext()


def _lost(key: str) -> Callable[[Path, random.Random], AbstractContextManager[None]]:
    def plant(root: Path, chance: random.Random) -> AbstractContextManager[None]:
        every = (path for path in (root / "lake" / key).rglob("*.parquet") if "_delta_log" not in path.parts)
        files = sorted(every, key=lambda path: path.stat().st_mtime_ns)
        if files:  # the newest is one that the table names, or was until the last commit
            path = files[-1]
            if chance.random() < 0.5:
                path.unlink()
                for folder in path.parents[: len(path.relative_to(root / "lake" / key).parts) - 1]:
                    if not any(folder.iterdir()):
                        folder.rmdir()  # else it would be told as left behind
            else:
                path.write_bytes(path.read_bytes()[:40])
        return nullcontext()

    return plant


def _lost_checkpoint(root: Path, _: random.Random) -> AbstractContextManager[None]:
    files = sorted((root / "lake/silver/accounts/_delta_log").glob("*.checkpoint.parquet"))
    if files:
        files[-1].unlink()
    return nullcontext()


def _doctor(shop: Workshop) -> None:
    """What `dq doctor --repair` does, as far as this installation goes."""
    from dq_pipelines.doctor.examinations import diagnose
    from dq_pipelines.doctor.installation import Installation

    list(diagnose(Installation(shop.stores, shop.project), repair=True))


def _rerun(*tables: str) -> Callable[[Workshop], None]:
    def heal(shop: Workshop) -> None:
        _doctor(shop)
        ran = shop.run(*tables, mode="rerun")
        assert ran.success, ran.failures

    return heal


# --- the machine -----------------------------------------------------------------------------------


def _full(_: Path, chance: random.Random) -> None:
    """No file of this process grows beyond a size, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (chance.choice([2_000, 4_000, 60_000]), resource.RLIM_INFINITY))


@contextmanager
def _read_only(root: Path, _: random.Random) -> Iterator[None]:
    """Nobody may make files in the lake."""
    folders = [root / "lake", *(path for path in (root / "lake").rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


def _without_override(_: Path, __: random.Random) -> None:
    """Root, too, goes by the modes of files from now on: this process gives up the capabilities to pass over them."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    for effective_or_permitted in (0, 1):
        sets[effective_or_permitted] &= ~_DAC & 0xFFFFFFFF
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _clock(_: Path, chance: random.Random) -> None:
    """The clock of this run jumps, back or ahead."""
    from dq_pipelines.pipeline.runtime import table_run

    jump = timedelta(hours=chance.choice([-72, -1, 1, 30]))

    class Jumped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz or UTC) + jump

    table_run.datetime = Jumped  # type: ignore[attr-defined]


def _nothing(_: Path, __: random.Random) -> AbstractContextManager[None]:
    return nullcontext()


STORAGE_FAULTS = (
    StorageFault("history locked", _locked, ends="failed"),
    StorageFault("history of 0 bytes", _empty_history),
    StorageFault("history damaged", _damaged_history, ends="failed"),
    StorageFault("history of an earlier version", _older_history),
    StorageFault("newest commit torn", _torn_commit, ends="failed", heal=_rerun("events", "accounts")),
    StorageFault("checkpoint lost", _lost_checkpoint, ends="either", heal=_rerun("accounts")),
    StorageFault("inputs aside torn", _torn_aside),
    StorageFault("claim torn", _torn_claim),
    StorageFault("staged files left", _left_staged),
    StorageFault("file of silver lost", _lost("silver/accounts"), ends="either", heal=_rerun("accounts")),
    StorageFault("file of quarantine lost", _lost("quarantine/events"), ends="either", heal=_rerun("events")),
    StorageFault("file of gold lost", _lost("gold/totals")),
    StorageFault("disk full", _nothing, _full, ends="either"),
    StorageFault("lake read-only", _read_only, _without_override, ends="failed"),
    StorageFault("clock jumped", _nothing, _clock),
)


def storage_faults(seed: int) -> Iterator[StorageFault]:
    """All kinds in turn, for ever."""
    chance = random.Random(seed)
    while True:
        yield from chance.sample(STORAGE_FAULTS, len(STORAGE_FAULTS))
