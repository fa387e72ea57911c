"""A power loss leaves the newest commit of a layer with 0 bytes, or torn: the run stops, and no row is doubled or lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dq_pipelines.errors import PublishError, SetAside
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.workshop import Workshop, delta_of

ORDERS = """
    source: {type: csv, path: "{landing}/*.csv"}
    silver:
      KEYS
      columns: {id: int64, amount: int64}
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
"""
LAYERS = ("bronze", "silver", "quarantine")


def shop(root: Path, keys: str = "") -> Workshop:
    """Two batches are published, each with a refused row."""
    made = Workshop(root)
    made.table("orders", ORDERS.replace("KEYS", keys))
    for number in (1, 2):
        made.land(f"{number}.csv", f"id,amount\n{number},10\n{number}1,-5\n")
        refine(work(made))
    return made


def work(made: Workshop) -> TableRun:
    return TableRun(made.project.tables["orders"], made.lake)


def newest(made: Workshop, layer: str) -> Path:
    return max((made.root / "lake" / layer / "orders" / "_delta_log").glob("*.json"))


def content(made: Workshop) -> dict[str, list[str]]:
    rows = {layer: made.rows(f"{layer}/orders") for layer in LAYERS}
    return {
        layer: sorted(repr({k: v for k, v in row.items() if k in ("id", "amount", "_reasons")}) for row in some)
        for layer, some in rows.items()
    }


def files(made: Workshop) -> list[str]:
    return sorted(str(path) for path in (made.root / "lake").rglob("*.parquet"))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "left", [b"", b" \n\n", b'{"commitInfo":{"timest', b"\0" * 700], ids=["0", "blank", "torn", "NUL"]
)
def test_a_newest_commit_without_actions_is_refused(tmp_path: Path, layer: str, left: bytes) -> None:
    made = shop(tmp_path)
    before, torn = files(made), newest(made, layer)
    torn.write_bytes(left)
    made.land("3.csv", "id,amount\n3,10\n31,-5\n")
    for do in (refine, rerun, lambda again: replay(again, by="test")):
        with pytest.raises(PublishError) as error:
            do(work(made))
        assert str(error.value).startswith(f"{torn}: wanted the actions of version 1 of {layer}/orders, got a ")
        assert "move the file away, so that version 0 is the newest, and run orders again" in str(error.value)
    assert files(made) == before  # what the lost commit had named is still there


@pytest.mark.parametrize("keys", ["", "keys: [id]"], ids=["append", "merge"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_that_has_lost_a_commit_is_made_whole(tmp_path: Path, layer: str, keys: str) -> None:
    made = shop(tmp_path, keys)
    unharmed = content(made)
    newest(made, layer).unlink()
    if layer != "silver":
        lost = f"{layer}/orders: wanted the {'rows of batch b-' if layer == 'bronze' else 'refused rows of b-'}"
        with pytest.raises(PublishError, match=f"^{lost}.*orders with mode: rerun"):
            refine(work(made))
        rerun(work(made))
    else:
        refine(work(made))
    assert content(made) == unharmed
    assert refine(work(made)) is None
    assert content(made) == unharmed


def test_inputs_that_land_in_another_batch_after_the_loss_are_not_doubled(tmp_path: Path) -> None:
    made = shop(tmp_path)
    newest(made, "bronze").unlink()
    made.land("3.csv", "id,amount\n3,10\n31,-5\n")
    with pytest.raises(PublishError, match=r"else dq restore orders --as-of 0$"):
        refine(work(made))
    rerun(work(made))  # lands 2.csv and 3.csv as one batch
    assert made.rows("silver/orders", "id") == [1, 2, 3]
    assert made.rows("quarantine/orders", "id") == ["11", "21", "31"]
    assert refine(work(made)) is None  # silver no longer relies on the batch that bronze has lost


def test_a_replay_that_quarantine_has_forgotten_is_not_done_twice(tmp_path: Path) -> None:
    made = shop(tmp_path)
    made.table("orders", ORDERS.replace("KEYS", "").replace("min_value: 0", "min_value: -9"))
    replay(work(made), by="test")
    assert made.rows("silver/orders", "id") == [1, 11, 2, 21]
    newest(made, "quarantine").unlink()
    with pytest.raises(PublishError, match=r"^quarantine/orders: wanted the refused rows of p-"):
        replay(work(made), by="test")
    rerun(work(made))
    assert made.rows("silver/orders", "id") == [1, 11, 2, 21]
    assert made.rows("quarantine/orders", "id") == []
    replay(work(made), by="test")


def test_a_torn_hint_at_the_last_checkpoint_is_passed_over(tmp_path: Path) -> None:
    made = shop(tmp_path)
    unharmed = content(made)
    for layer in LAYERS:
        delta_of(made.lake.table(f"{layer}/orders")).create_checkpoint()
        log = newest(made, layer).parent
        for commit in log.glob("*.json"):
            commit.unlink()  # as Delta's clean-up does: the checkpoint alone knows what was consumed
        (log / "_last_checkpoint").write_bytes(b"" if layer == "bronze" else b'{"vers')
    assert refine(work(made)) is None
    assert content(made) == unharmed


def test_a_torn_checkpoint_is_refused_with_the_remedy(tmp_path: Path) -> None:
    made = shop(tmp_path)
    unharmed = content(made)
    delta_of(made.lake.table("silver/orders")).create_checkpoint()
    log = newest(made, "silver").parent
    checkpoint = next(log.glob("*.checkpoint.parquet"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:400])
    made.land("3.csv", "id,amount\n3,10\n")
    with pytest.raises(PublishError, match=r"wanted a whole checkpoint of silver/orders, got a torn file of 400 bytes"):
        refine(work(made))
    checkpoint.unlink()
    (log / "_last_checkpoint").unlink()
    refine(work(made))
    assert content(made)["silver"] == sorted([*unharmed["silver"], repr({"id": 3, "amount": 10})])


def test_a_torn_list_of_inputs_aside_costs_another_look(tmp_path: Path) -> None:
    made = shop(tmp_path)
    made.land("bad.csv", b"")
    with pytest.raises(SetAside):
        refine(work(made))
    (made.root / "lake" / ".aside" / "orders.json").write_bytes(b"")
    with pytest.raises(SetAside):
        refine(work(made))


@pytest.mark.parametrize("keys", ["", "keys: [id]"], ids=["append", "merge"])
def test_what_a_commit_names_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    synced, real = dict[str, bool](), os.fsync

    def fsync(handle: int) -> None:
        path = str(Path(f"/proc/self/fd/{handle}").readlink())
        layer = Path(path.partition("/lake/")[2]).parts[:2]
        log = made.root / "lake" / Path(*layer) / "_delta_log"
        named = "".join(each.read_text() for each in log.glob("*.json")) if path.endswith(".parquet") else ""
        synced.setdefault(path, Path(path).name in named and Path(path).parent.name in named)
        real(handle)

    made = Workshop(tmp_path)
    monkeypatch.setattr(os, "fsync", fsync)
    shop(tmp_path, keys)
    for layer in LAYERS:
        log = made.root / "lake" / layer / "orders" / "_delta_log"
        assert {str(path) for path in log.glob("*.json")} | {str(log), str(log.parent), str(log.parents[1])} <= set(
            synced
        )
    data = files(made)
    assert set(data) <= set(synced)
    # Staged files reach the disk before a commit names them; what Delta's own merge writes, after it.
    assert {Path(path).parents[1].name for path in data if synced[path]} <= ({"silver"} if keys else set())
