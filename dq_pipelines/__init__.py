"""Data quality inside Dagster: describe a table and its rules in YAML; every row is published or quarantined.

The public names. They are imported when they are first used, so that `import dq_pipelines` needs no
Dagster, pandas or Great Expectations.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dq_pipelines.assembly import build_definitions
    from dq_pipelines.component import AssetsConfigComponent
    from dq_pipelines.engine.results.verdict import RuleResult, Verdict
    from dq_pipelines.engine.validate import validate
    from dq_pipelines.errors import ConfigError, DqError, Problem, PublishError, RuleError, SourceError
    from dq_pipelines.monitoring.anomalies import anomaly_scores
    from dq_pipelines.monitoring.suggestions import suggest
    from dq_pipelines.project import Project, Table, load_project
    from dq_pipelines.rules.core.base import Rule
    from dq_pipelines.sources import Reading, Source, read

    __version__: str

__all__ = [
    "AssetsConfigComponent",
    "ConfigError",
    "DqError",
    "Problem",
    "Project",
    "PublishError",
    "Reading",
    "Rule",
    "RuleError",
    "RuleResult",
    "Source",
    "SourceError",
    "Table",
    "Verdict",
    "__version__",
    "anomaly_scores",
    "build_definitions",
    "load_project",
    "read",
    "suggest",
    "validate",
]

#: Where each name lives. A test holds this, `__all__` and the imports for type checkers together.
_HOMES = {
    "dq_pipelines.assembly": ("build_definitions",),
    "dq_pipelines.component": ("AssetsConfigComponent",),
    "dq_pipelines.engine.validate": ("validate",),
    "dq_pipelines.engine.results.verdict": ("RuleResult", "Verdict"),
    "dq_pipelines.errors": ("ConfigError", "DqError", "Problem", "PublishError", "RuleError", "SourceError"),
    "dq_pipelines.monitoring.anomalies": ("anomaly_scores",),
    "dq_pipelines.monitoring.suggestions": ("suggest",),
    "dq_pipelines.project": ("Project", "Table", "load_project"),
    "dq_pipelines.rules.core.base": ("Rule",),
    "dq_pipelines.sources": ("Reading", "Source", "read"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dq_pipelines")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+checkout"
