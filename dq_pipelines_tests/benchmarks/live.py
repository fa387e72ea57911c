"""What it costs a run to be watched: `python -m dq_pipelines_tests.benchmarks.live [--rounds N] [--clients N] [--write]`.

One table is judged anew again and again, in a process of its own as Dagster launches it, while a server tells WebSocket clients
of it; rounds with and without them take turns. The clients are a third process that gives way to the others, since in life they
are on machines of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dq_pipelines_tests.benchmarks import page

ROWS = 12_000_000
RULES = 24
KEYS = ("bronze/wide", "silver/wide", "quarantine/wide")
TITLE = "## Watching a run"


@dataclass(frozen=True)
class Round:
    """One run, watched or not."""

    #: of the work on the table, as the run itself has told them
    seconds: float
    #: CPU seconds of the server from then on until all clients had their last message
    server: float
    #: CPU seconds of the clients, and how many messages each of them has had
    clients: float = 0.0
    messages: Sequence[int] = ()


# --- the clients, a process of their own ----------------------------------------------------------------


async def _watch(address: str, count: int) -> list[int]:
    """How many messages each of so many clients has had of the run, whose address is asked for once all are there."""
    from websockets.asyncio.client import connect

    async def one(place: str, there: asyncio.Semaphore) -> int:
        async with connect(place, open_timeout=60, compression=None) as socket:
            there.release()
            return len([None async for _ in socket])

    there = asyncio.Semaphore(0)
    watching = [asyncio.create_task(one(address, there)) for _ in range(count)]
    for _ in range(count):
        await there.acquire()
    print("there", flush=True)
    return await asyncio.gather(*watching)


def watch(address: str, count: int) -> None:
    os.nice(19)
    messages = asyncio.run(_watch(address, count))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"messages": messages, "cpu": used.ru_utime + used.ru_stime}), flush=True)


@contextmanager
def _watching(address: str, count: int, into: list[dict[str, object]]) -> Iterator[None]:
    """So many clients watch while the block lasts, and until the run has ended; what they say of it."""
    if not count:
        yield
        return
    command = [sys.executable, "-m", __name__ if __name__ != "__main__" else __spec__.name, "--watch", address]
    with subprocess.Popen([*command, "--clients", str(count)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        yield
        into.append(json.loads(process.stdout.readline()))


# --- the rounds -----------------------------------------------------------------------------------------


def rounds(clients: int, count: int) -> Iterator[tuple[Round, Round]]:
    """So many pairs of rounds, without clients and with them; which comes first takes turns."""
    import polars as pl

    from dq_pipelines.config.garbage import leave_out_what_there_is
    from dq_pipelines_tests.web.hosting import hosting, listening
    from dq_pipelines_tests.workshop import Workshop

    with tempfile.TemporaryDirectory(prefix="dq-live-") as scratch:
        shop = Workshop(Path(scratch))
        shop.table("wide", _table())
        shop.landing.mkdir()
        rows = pl.select(id=pl.int_range(ROWS)).lazy().with_columns(text="text-" + pl.col("id").cast(pl.String))
        rows.sink_csv(shop.landing / "wide.csv")
        with hosting(shop) as here, listening(here) as address:
            leave_out_what_there_is()
            _round(here, address, 0)  # lands, and warms the files
            for turn in range(count):
                order = (0, clients) if turn % 2 else (clients, 0)
                found = {each: _round(here, address, each) for each in order}
                yield found[0], found[clients]


def _table() -> str:
    rules = [
        f'    - {{type: expect_column_values_to_not_match_regex, column: text, regex: "(a|b+)([0-9]x?){{{n}}}$"}}'
        for n in range(1, RULES + 1)
    ]
    head = 'source: {type: csv, path: "{landing}/wide.csv"}\nsilver:\n  columns: {id: int64, text: string}\n  rules:\n'
    return head + "\n".join(rules)


def _round(here: object, address: str, clients: int) -> Round:
    from dq_pipelines.lake.table_lock import claimed
    from dq_pipelines.orchestration.steps.progress_events import progress_of
    from dq_pipelines.pipeline.runtime.progress import DONE, WAIT
    from dq_pipelines.security.roles import Grant, Role
    from dq_pipelines.security.users import User
    from dq_pipelines.web.auth.access import Caller
    from dq_pipelines.web.dagster_client.launching import Launch
    from dq_pipelines_tests.web.hosting import Hosted

    assert isinstance(here, Hosted)
    told: list[dict[str, object]] = []
    # The run begins its work when all clients are there.
    with claimed(here.shop.lake, "wide", lambda _: None) as held:
        caller = Caller(User("bench", frozenset({Grant(Role.OPERATOR)})))
        run = Launch(assets=KEYS, tags={"dq/mode": "rerun"}).submit(caller, here.host)
        place = f"{address.replace('http', 'ws', 1)}/api/v1/runs/{run}/events"
        watching = _watching(place, clients, told)
        watching.__enter__()
        while not _waits(here, run):
            time.sleep(0.1)
        assert held is not None
        before = _cpu()
    assert here.ended(run, 600).status.value == "SUCCESS"
    watching.__exit__(None, None, None)
    used = _cpu() - before
    progress = [one for entry in here.host.instance.all_logs(run) if (one := progress_of(entry)) is not None]
    assert progress[-1].stage == DONE
    seconds = sum(one.seconds for one in progress[-1].stages if one.stage != WAIT)
    if not told:
        return Round(seconds, used)
    messages, cpu = told[0]["messages"], told[0]["cpu"]
    assert isinstance(messages, list)
    assert isinstance(cpu, float)
    assert min(messages) == max(messages) > len(progress), "a client was told less than another"
    return Round(seconds, used, cpu, messages)


def _waits(here: object, run: str) -> bool:
    from dq_pipelines.orchestration.steps.progress_events import progress_of

    return any(progress_of(entry) for entry in here.host.instance.all_logs(run))  # type: ignore[attr-defined]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def section(clients: int = 200, count: int = 6) -> str:
    """The page's section, each round printed as it comes."""
    found = []
    for without, watched in rounds(clients, count):
        found.append((without, watched))
        load = os.getloadavg()[0]
        print(f"0: {without.seconds:.2f} s; {clients}: {watched.seconds:.2f} s; load {load:.1f}", flush=True)
    alone = statistics.median(one.seconds for one, _ in found)
    seen = statistics.median(one.seconds for _, one in found)
    ratios = sorted(b.seconds / a.seconds for a, b in found)
    ratio = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    server = statistics.median(b.server - a.server for a, b in found)
    own = statistics.median(b.clients for _, b in found)
    return f"""{TITLE}

A run over {ROWS:,} rows with {RULES} regexes, told to WebSocket clients on the same machine that give way to it (`python -m
dq_pipelines_tests.benchmarks.live`). Medians of {count} rounds that took turns, × that of each pair; the machine's load was {os.getloadavg()[0]:.1f} at the end.

| clients | the run | × | messages to each | CPU of the server beside | CPU of the clients |
|---:|---:|---:|---:|---:|---:|
| 0 | {alone:.2f} s | 1.00 | | | |
| {clients} | {seen:.2f} s | {ratio} | {found[-1][1].messages[0]} | {server:.2f} s | {own:.2f} s |

Where others use the machine too, pairs lie far apart. What was used of its CPU is the surer figure, and includes the messages after the
work: the server {_share(server, seen)}, the clients {_share(own, seen)}.
"""


def _share(used: float, seconds: float) -> str:
    """CPU seconds as a part of what all cores have in so many seconds."""
    return f"{100 * used / seconds / (os.cpu_count() or 1):.1f} %"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    parser.add_argument("--watch", metavar="ADDRESS", help="be the clients, as the benchmark starts them")
    asked = parser.parse_args()
    if asked.watch:
        watch(asked.watch, asked.clients)
        return 0
    text = section(asked.clients, asked.rounds)
    print(text)
    if asked.write:
        page.put(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
