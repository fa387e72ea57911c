"""A few kills of `make chaos`, and that its oracle sees what it is to see."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dq_pipelines_tests.chaos.world import World
from dq_pipelines_tests.workshop import Workshop, delta_of


@pytest.mark.slow
def test_a_few_kills(tmp_path: Path) -> None:
    # In a process of its own: what forks must not have used its libraries yet.
    ran = subprocess.run(
        [sys.executable, "-m", "dq_pipelines_tests.chaos", "4", "--seed", "7"],  # the third is a storage fault
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "after each of them the next run made the lake what it must be" in ran.stdout
    assert "3 runs killed with seed 7" in ran.stdout
    assert "1 storage faults with seed 7" in ran.stdout


def _more(shop: Workshop, key: str) -> None:
    rows = shop.lake.table(key).scan().head(1).collect()
    rows.write_delta(shop.lake.table(key).uri, mode="append")


def _fewer(shop: Workshop, key: str) -> None:
    name = "_row" if key.startswith("quarantine") else shop.lake.table(key).scan().collect_schema().names()[0]
    value = shop.lake.table(key).scan().select(name).head(1).collect().item()
    delta_of(shop.lake.table(key)).delete(f"{name} = '{value}'" if isinstance(value, str) else f"{name} = {value}")


def _left_behind(shop: Workshop, key: str) -> None:
    (Path(shop.lake.table(key).uri) / "b-1").mkdir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "key"),
    [
        (_more, "silver/accounts"),
        (_fewer, "silver/events"),
        (_more, "quarantine/events"),
        (_fewer, "gold/totals"),
        (_left_behind, "silver/snapshots"),
    ],
)
def test_the_oracle_sees_harm(shop: Workshop, harm: Callable[[Workshop, str], None], key: str) -> None:
    world = World(3)
    world.begin(shop)
    for _ in range(2):
        world.land(shop)
        assert shop.run().success
    assert world.differences(shop) == []
    harm(shop, key)
    (said, *_) = world.differences(shop)
    assert said.startswith("left behind" if harm is _left_behind else key)


@pytest.mark.slow
def test_the_oracle_sees_a_verdict_too_many(shop: Workshop) -> None:
    world = World(3)
    world.begin(shop)
    world.land(shop)
    assert shop.run().success
    last = shop.history.latest("silver/events")
    assert last is not None
    shop.history.record(replace(last, run_id="another"))
    assert any("verdicts on" in line for line in world.differences(shop))
