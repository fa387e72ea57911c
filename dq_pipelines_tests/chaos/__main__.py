"""`python -m dq_pipelines_tests.chaos 200`: so many kills and storage faults, each healed. Exit 1 at the first difference.

With `--serve` the processes of a `dq serve` under load are killed instead.
"""

from __future__ import annotations

import argparse
import math
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dagster as dg

from dq_pipelines_tests.chaos.kills import Watched, faults, forked, run
from dq_pipelines_tests.chaos.storage import STORAGE_FAULTS, StorageFault, met, storage_faults
from dq_pipelines_tests.chaos.world import World
from dq_pipelines_tests.workshop import Workshop

#: Of storage faults, as they are counted.
KINDS = frozenset(fault.kind for fault in STORAGE_FAULTS)


def main() -> int:
    """Kill, run again, compare; print what was hit."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument(
        "kills", type=int, nargs="?", default=200, help="how many trials: runs killed, and stores harmed (default 200)"
    )
    parser.add_argument("--seed", type=int, default=None, help="of the rows and the moments (default: the time)")
    parser.add_argument("--serve", action="store_true", help="kill the processes of a `dq serve` under load instead")
    parser.add_argument("--minutes", type=float, default=math.inf, help="with --serve: kill no more after so long")
    given = parser.parse_args()
    seed = int(time.time()) if given.seed is None else given.seed
    if given.serve:
        return serve(seed, given.kills, given.minutes)
    with tempfile.TemporaryDirectory(prefix="dq-chaos-") as folder:
        hits, wrong = chaos(Path(folder), seed, given.kills)
    harmed = Counter({kind: count for kind, count in hits.items() if kind in KINDS})
    for what, some in (("runs killed", hits - harmed), ("storage faults", harmed)):
        print(f"\n{some.total()} {what} with seed {seed}:")
        for kind, count in sorted(some.items(), key=lambda each: (-each[1], each[0])):
            print(f"  {count:5}  {kind}")
    for line in wrong:
        print(f"differs: {line}", file=sys.stderr)
    print(
        "the lake differs from the oracle" if wrong else "after each of them the next run made the lake what it must be"
    )
    return 1 if wrong else 0


def serve(seed: int, kills: int, minutes: float) -> int:
    """Kill processes of a service, tell how soon it recovers, compare in the end."""
    from dq_pipelines_tests.chaos.serve_kills import serve_chaos, told

    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dq-chaos-", ignore_cleanup_errors=True) as folder:
        done, wrong = serve_chaos(Path(folder), seed, kills, minutes)
    print(f"\n{len(done)} processes killed with seed {seed} in {(time.monotonic() - begun) / 60:.0f} minutes:")
    print("time from the kill to the end of the next successful run:", *told(done), sep="\n  ")
    for line in wrong:
        print(f"differs: {line}", file=sys.stderr)
    print("it differs from the oracle" if wrong else "no row was lost or doubled, and nobody helped")
    return 1 if wrong else 0


def chaos(root: Path, seed: int, kills: int, *, progress: bool = True) -> tuple[Counter[str], list[str]]:
    """The kills by the step that they hit, the storage faults by kind, and what differs from the oracle in the end.

    Every third file meets a storage fault.
    """
    hits: Counter[str] = Counter()
    world, moments, length = World(seed), random.Random(seed), 1.0
    world.begin(_shop(root))
    ways, harms = faults(seed), storage_faults(seed)
    while hits.total() < kills:
        world.land(_shop(root))
        if world.files % 3 == 0:
            harm = next(harms)
            if wrong := _harmed(root, harm, moments):
                return hits, [f"{harm.kind}, at file {world.files}, seed {seed}: {wrong}"]
            hits[harm.kind] += 1
            if forked(lambda: _run(root, Watched())) or forked(lambda: _compare(root, world)):
                return hits, [f"after {harm.kind}, at file {world.files}, seed {seed}: see above"]
            continue
        # One in four is killed twice before it is let through.
        for _ in range(1 + (moments.random() < 0.25)):
            watched = Watched(fault := next(ways))
            ended = forked(partial(_run, root, watched), None if fault else moments.uniform(0, length))
            if ended == -signal.SIGKILL:
                hits[watched.at or "before the first step"] += 1
            elif ended:
                return hits, [f"a run of file {world.files} failed"]
        begun = time.monotonic()
        if forked(lambda: _run(root, Watched())):
            return hits, [f"the run after a kill failed, at file {world.files}"]
        length = time.monotonic() - begun
        if forked(lambda: _compare(root, world)):
            return hits, [f"at file {world.files}, seed {seed}: see above"]
        if progress:
            print(f"\r{hits.total()} killed, {world.files} files a table, {length:.1f} s a run", end="", flush=True)
    return hits, []


def _harmed(root: Path, harm: StorageFault, moments: random.Random) -> str:
    """Plant a fault, let a run meet it, and heal what it leaves; what was not as it must be, or nothing."""
    chance = random.Random(moments.random())
    with harm.plant(root, chance):
        if forked(lambda: _meet(root, harm, chance)):
            return "the run did not end as it must, see above"
    return "the remedy did not help, see above" if forked(lambda: _heal(root, harm)) else ""


def _meet(root: Path, harm: StorageFault, chance: random.Random) -> None:
    with _at_work(root) as shop:
        met(shop, harm, chance)


def _heal(root: Path, harm: StorageFault) -> None:
    with _at_work(root) as shop:
        harm.heal(shop)


def _run(root: Path, watched: Watched) -> None:
    with _at_work(root) as shop:
        run(shop, watched)


def _compare(root: Path, world: World) -> None:
    with _at_work(root) as shop:
        if found := world.differences(shop):
            raise AssertionError("; ".join(found))


@contextmanager
def _at_work(root: Path) -> Iterator[Workshop]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Workshop(root, instance)


def _shop(root: Path) -> Workshop:
    return Workshop(root)


if __name__ == "__main__":
    sys.exit(main())
