"""Checks whether the installed libraries satisfy the requirements of dq_pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation

_REMEDY = (
    "install the set that belongs together: pip install -c constraints.txt dq_pipelines, or make setup in a checkout"
)


def examine(_: Installation) -> Iterator[Finding]:
    for text in metadata.requires("dq_pipelines") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding("error", requirement.name, f"wanted {requirement}, got none", _REMEDY)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield Finding("error", requirement.name, f"wanted {requirement}, got version {version}", _REMEDY)
