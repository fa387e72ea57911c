"""`dq doctor` finds each planted damage, repairs those that it says it can, and what follows is right."""

from __future__ import annotations

import pytest

from dq_pipelines.doctor.disk import _room
from dq_pipelines.doctor.examinations import EXAMINATIONS
from dq_pipelines_tests.doctor.conftest import ROWS, Patient
from dq_pipelines_tests.doctor.damages import DAMAGES, Damage, _nothing, broken_yaml, data_file

pytestmark = pytest.mark.slow


def test_an_installation_that_is_well_has_no_findings(patient: Patient) -> None:
    assert patient.diagnosed() == []
    assert patient.rows == ROWS


@pytest.mark.parametrize("damage", DAMAGES, ids=[damage.plant.__name__ for damage in DAMAGES])
def test_a_damage_is_found_and_what_is_safe_is_repaired(patient: Patient, damage: Damage) -> None:
    files = {path: path.read_bytes() for path in patient.lake.rglob("*.parquet")}
    verdicts = patient.judged
    damage.plant(patient)
    found = [one for one in patient.diagnosed() if one.examination == damage.examination]
    said = [str(one.finding) for one in found]
    assert any(all(word in line for word in damage.words) for line in said), said
    assert {one.finding.severity for one in found} == {damage.severity}
    assert all("\n" not in line for line in said)
    assert [one.finding.repair is not None for one in found] == [damage.repairs] * len(found)
    if damage.repairs:
        repaired = [one for one in patient.diagnosed(repair=True) if one.examination == damage.examination]
        assert all(one.repaired for one in repaired), repaired
        again = [one for one in patient.diagnosed() if one.examination == damage.examination]
        assert again == []
    damage.heal(patient)
    if damage.heal is not _nothing:
        assert patient.rows == ROWS
        assert verdicts <= patient.judged
        assert [str(one.finding) for one in patient.diagnosed() if one.is_error] == []
    # Whatever was moved away is there still.
    there = {path.read_bytes() for path in patient.root.rglob("*.parquet")}
    if damage.repairs:
        assert {content for path, content in files.items() if path.exists()} <= there


def test_rows_that_a_repair_took_out_of_the_log_are_told_until_a_rerun(patient: Patient) -> None:
    data_file(patient, "quarantine/orders").unlink()
    repaired = patient.diagnosed(repair=True)
    for found in (repaired, patient.diagnosed(), patient.diagnosed(repair=True)):
        (error,) = [one for one in found if one.is_error]
        assert (error.examination, error.finding.place) == ("quarantine", "quarantine/orders")
        assert "refused rows are lost" in error.finding.said
        assert "run orders with mode: rerun" in error.finding.remedy
    patient.run("orders", mode="rerun")
    assert patient.diagnosed() == []
    assert patient.rows == ROWS


def test_a_faulty_file_keeps_no_other_table_from_being_examined(patient: Patient) -> None:
    broken_yaml(patient)
    data_file(patient, "silver/visits").unlink()
    found = [one for one in patient.diagnosed() if one.is_error]
    assert {one.examination for one in found} == {"configuration", "data files"}
    assert not any("described by no YAML" in str(one.finding) for one in patient.diagnosed())


def test_every_examination_has_a_damage_or_a_test_of_its_own() -> None:
    assert EXAMINATIONS.keys() - {damage.examination for damage in DAMAGES} == {"versions", "disk"}
    assert len({damage.plant for damage in DAMAGES}) == len(DAMAGES) >= 20


def test_a_library_of_another_version_is_found(
    patient: Patient, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("site")
    (other / "polars-0.1.dist-info").mkdir()
    (other / "polars-0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: polars\nVersion: 0.1\n")
    monkeypatch.syspath_prepend(str(other))
    (found,) = [one for one in patient.diagnosed() if one.examination == "versions"]
    assert (found.finding.place, found.is_error) == ("polars", True)
    assert "got version 0.1" in found.finding.said


@pytest.mark.parametrize(("free", "severities"), [(0.005, ["error"]), (0.03, ["warning"]), (0.5, [])])
def test_a_disk_without_room_is_found(free: float, severities: list[str]) -> None:
    total = 50 * 2**30
    assert [finding.severity for finding in _room("/lake", "lake", int(free * total), total)] == severities
