"""Which variables of the environment only the gateway needs, by what the project's files refer to."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from dq_pipelines.config import withheld
from dq_pipelines.config.interpolation import names_in
from dq_pipelines.config.settings import Settings
from dq_pipelines.project.loading import yaml_files


def withhold() -> None:
    """Keep from runs what they do not need: the gateway's own keys, and what logs people in (`oidc.client_secret`).

    Where the history lies in DQ_DATABASE_URL, runs are told of it as the history's address. A faulty file is told when the
    project is loaded, and withholds nothing. Raises ConfigError for a DQ_DATABASE_URL that is no PostgreSQL.
    """
    settings = Settings.from_environment()
    if settings.database and not settings.history:
        os.environ["DQ_HISTORY_URL"] = settings.database
    withheld.withhold(_of_login(Path(settings.config)))


def _of_login(config: Path) -> set[str]:
    """The variables of `oidc.client_secret` to which nothing else refers."""
    secret, others = "", set()
    for relative in yaml_files(config):
        try:
            text = (config / relative).read_text(encoding="utf-8")
            if len(relative.parts) == 1 and relative.stem == "project":
                found = yaml.safe_load(text)
                secret = str(found["oidc"]["client_secret"])
                text = text.replace(secret, "", 1)
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
            pass
        else:
            others |= names_in(text)
    return names_in(secret) - others
