"""A backup is consistent while others write, and an installation goes on from it in an empty folder."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from dq_pipelines.backups.copying import MANIFEST, back_up, put_back
from dq_pipelines.backups.places import Place, places_of
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import PublishError
from dq_pipelines.history.store.verdicts import History
from dq_pipelines_tests.doctor.conftest import ROWS, Patient, patient, pristine  # noqa: F401 - fixtures
from dq_pipelines_tests.history.test_store import VERDICT


def folder(tmp_path: Path) -> Path:
    """Files and a database of one place."""
    place = tmp_path / "here"
    place.mkdir()
    (place / "key").write_text("secret")
    History(f"sqlite:///{place}/history.db").record(VERDICT)
    return place


def settings(tmp_path: Path) -> Settings:
    """An installation under one folder."""
    given = {"DQ_CONFIG": tmp_path / "assets_config", "DQ_LAKE": tmp_path / "lake", "DQ_STATE": tmp_path / "state"}
    return Settings.from_environment({name: str(path) for name, path in given.items()})


def test_what_is_backed_up_comes_back(tmp_path: Path) -> None:
    here = folder(tmp_path)
    back_up([Place("state", here, is_private=True)], tmp_path / "backup")
    put_back([Place("state", tmp_path / "there", is_private=True)], tmp_path / "backup")
    assert (tmp_path / "there" / "key").read_text() == "secret"
    assert [
        verdict.batch for verdict in History(f"sqlite:///{tmp_path}/there/history.db").of_table("silver/orders")
    ] == ["b-1"]
    for path in (tmp_path / "backup", tmp_path / "there"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in path.rglob("key"))


def test_the_folder_of_dagsters_records_is_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("{}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    places = [one for one in places_of(settings(tmp_path)) if one.name == "dagster"]
    back_up(places, tmp_path / "backup")
    shutil.rmtree(home)
    put_back(places, tmp_path / "backup")
    assert (home / "dagster.yaml").read_text() == "{}"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_why_a_place_was_not_put_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "lake/silver/orders/_delta_log/0.json"
    log.parent.mkdir(parents=True)
    log.write_text("{}")
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("{}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    back_up(places_of(settings(tmp_path), lake_logs=True), tmp_path / "backup")
    shutil.rmtree(tmp_path / "lake")
    monkeypatch.delenv("DAGSTER_HOME")
    told: list[str] = []
    put_back(places_of(settings(tmp_path)), tmp_path / "backup", told.append)
    of_dagster, of_lake = told
    assert of_dagster.startswith("dagster: is in the backup and was not put back: DAGSTER_HOME is not set")
    assert of_lake.startswith("lake: is in the backup and was not put back: ")
    assert of_lake.endswith("--lake-logs puts them back")
    assert not log.exists()
    put_back(places_of(settings(tmp_path), lake_logs=True), tmp_path / "backup", told.append)
    assert log.read_text() == "{}"


def test_a_database_is_copied_whole_while_it_is_written(tmp_path: Path) -> None:
    path, stop = tmp_path / "here" / "pairs.db", threading.Event()
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; CREATE TABLE pairs (n INTEGER, side TEXT)")

    def write() -> None:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            for number in range(100_000):
                if stop.is_set():
                    return
                with connection:  # both or none
                    connection.executemany("INSERT INTO pairs VALUES (?, ?)", [(number, "left"), (number, "right")])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            back_up([Place("history", path.parent)], tmp_path / f"backup{number}")
            with closing(sqlite3.connect(tmp_path / f"backup{number}/history/pairs.db")) as copy:
                sides = dict(copy.execute("SELECT side, count(*) FROM pairs GROUP BY side").fetchall())
                assert sides.get("left", 0) == sides.get("right", 0)
                assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        stop.set()
        writer.join()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    here = folder(tmp_path)
    place = Place("state", here, is_private=True)
    back_up([place], tmp_path / "backup")
    with pytest.raises(PublishError, match="wanted an empty folder, or none, for a backup"):
        back_up([place], tmp_path / "backup")
    with pytest.raises(PublishError, match=f"^{here}.*: wanted nothing there to put a backup back"):
        put_back([place], tmp_path / "backup")


@pytest.mark.parametrize("harm", ["changed", "gone", "manifest"])
def test_a_damaged_backup_is_refused_before_anything_is_written(tmp_path: Path, harm: str) -> None:
    back_up([Place("state", folder(tmp_path))], tmp_path / "backup")
    file = tmp_path / "backup" / (MANIFEST if harm == "manifest" else "state/key")
    file.unlink() if harm == "gone" else file.write_text("{")
    with pytest.raises(PublishError, match=f"^{tmp_path / 'backup'}.*wanted ") as error:
        put_back([Place("state", tmp_path / "there")], tmp_path / "backup")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "there").exists()


def test_a_backup_that_was_broken_off_is_none(tmp_path: Path) -> None:
    here = folder(tmp_path)
    (tmp_path / "backup.unfinished").mkdir()
    (tmp_path / "backup.unfinished" / "half").touch()
    with pytest.raises(PublishError, match="wanted a folder that dq backup has made"):
        put_back([Place("state", tmp_path / "there")], tmp_path / "backup.unfinished")
    back_up([Place("state", here)], tmp_path / "backup")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "here"]


@pytest.mark.slow
def test_an_installation_goes_on_from_its_backup(
    patient: Patient,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(patient.home))
    given = {"DQ_CONFIG": patient.root / "assets_config", "DQ_LAKE": patient.lake, "DQ_STATE": patient.state}
    environment = {name: str(path) for name, path in given.items()} | {"DQ_HISTORY_URL": f"sqlite:///{patient.history}"}
    places = places_of(Settings.from_environment(environment), lake_logs=True)
    copied = {each.name: each.files for each in back_up(places, tmp_path / "backup")}
    assert copied.keys() == {"history", "state", "dagster", "assets_config", "lake"}
    assert all(copied.values())
    judged, runs = patient.judged, patient.runs
    # Everything but the landed files and the rows' data files is lost.
    patient.history.unlink()
    for lost in (patient.state, patient.home, patient.root / "assets_config", *patient.lake.glob("*/*/_delta_log")):
        shutil.rmtree(lost)
    put_back(places, tmp_path / "backup")
    assert (patient.rows, patient.judged, patient.runs) == (ROWS, judged, runs)
    assert patient.diagnosed() == []
    patient.shop().land("orders/3.csv", "id,amount\n6,60\n")
    patient.run("orders", "totals")
    assert patient.rows["silver/orders"] == [*ROWS["silver/orders"], (6, 60)]
    assert patient.runs == runs + 1
