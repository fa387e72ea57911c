"""Reports the problems of the project's YAML."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation


def examine(installation: Installation) -> Iterator[Finding]:
    for problem in installation.problems.problems if installation.problems else ():
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file or "project"
        said = str(problem).removeprefix(f"{place}: ")
        yield Finding(
            "error", place, f"the table does not load: {said}", "mend the file; dq check says when all is well"
        )
