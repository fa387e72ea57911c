"""Runs all examinations in order: earlier ones check what later ones read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dq_pipelines.config.stores import error_text
from dq_pipelines.doctor import (
    asides,
    attempts,
    claims,
    clock,
    configuration,
    dagster_records,
    data_files,
    disk,
    history,
    ledgers,
    logs,
    permissions,
    quarantine,
    staging,
    ticks,
    verdicts,
    versions,
)
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import DqError

#: Examinations by name. Later ones may need the repairs of earlier ones.
EXAMINATIONS: dict[str, Callable[[Installation], Iterator[Finding]]] = {
    "configuration": configuration.examine,
    "versions": versions.examine,
    "disk": disk.examine,
    "permissions": permissions.examine,
    "logs": logs.examine,
    "data files": data_files.examine,
    "claims": claims.examine,
    "staging": staging.examine,
    "inputs aside": asides.examine,
    "ledgers": ledgers.examine,
    "quarantine": quarantine.examine,
    "history": history.examine,
    "verdicts": verdicts.examine,
    "attempts": attempts.examine,
    "clock": clock.examine,
    "dagster": dagster_records.examine,
    "ticks": ticks.examine,
}


@dataclass(frozen=True)
class Diagnosis:
    """A finding with its examination and the result of a repair."""

    examination: str
    finding: Finding
    #: what a repair did; "" if none was requested, or there is none
    repaired: str = ""
    #: why a repair failed
    not_repaired: str = ""

    @property
    def is_error(self) -> bool:
        return self.finding.severity == "error" and not self.repaired


def diagnose(installation: Installation, *, repair: bool = False) -> Iterator[Diagnosis]:
    """Run every examination; with `repair`, also the safe repairs, each as soon as its finding is made."""
    for name, examine in EXAMINATIONS.items():
        try:
            findings = list(examine(installation))
        except (DqError, OSError) as error:
            # Something that this examination depends on is broken, and may have been reported by an earlier one.
            findings = [Finding("error", name, f"cannot be examined: {error_text(error)}", "mend that, and ask again")]
        for finding in findings:
            yield _repaired(name, finding) if repair and finding.repair else Diagnosis(name, finding)


def _repaired(name: str, finding: Finding) -> Diagnosis:
    assert finding.repair is not None  # noqa: S101 - for mypy: its caller has looked
    try:
        return Diagnosis(name, finding, repaired=finding.repair())
    except (DqError, OSError) as error:
        return Diagnosis(name, finding, not_repaired=error_text(error))
