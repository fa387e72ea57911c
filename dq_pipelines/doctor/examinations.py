"""All examinations, in the order in which they are made: what the later ones read, the earlier ones have looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dq_pipelines.config.stores import said
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

#: By name. A repair of one may be what the next ones need.
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
    """A finding, which examination made it, and what became of it."""

    examination: str
    finding: Finding
    #: what a repair did; "" where none was asked for, or there is none
    repaired: str = ""
    #: why a repair could not be done
    not_repaired: str = ""

    @property
    def is_error(self) -> bool:
        return self.finding.severity == "error" and not self.repaired


def diagnose(installation: Installation, *, repair: bool = False) -> Iterator[Diagnosis]:
    """Make every examination; where asked, repair what is safe to repair as soon as it is found."""
    for name, examine in EXAMINATIONS.items():
        try:
            findings = list(examine(installation))
        except (DqError, OSError) as error:
            # What the one at hand leans on is broken: an earlier examination has said so, or this sentence does.
            findings = [Finding("error", name, f"cannot be examined: {said(error)}", "mend that, and ask again")]
        for finding in findings:
            yield _repaired(name, finding) if repair and finding.repair else Diagnosis(name, finding)


def _repaired(name: str, finding: Finding) -> Diagnosis:
    assert finding.repair is not None  # noqa: S101 - for mypy: its caller has looked
    try:
        return Diagnosis(name, finding, repaired=finding.repair())
    except (DqError, OSError) as error:
        return Diagnosis(name, finding, not_repaired=said(error))
