"""Withholds from runs the environment variables that only the gateway needs."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from dq_pipelines.config import withheld
from dq_pipelines.config.interpolation import names_in
from dq_pipelines.config.settings import Settings
from dq_pipelines.project.loading import yaml_files


def withhold() -> None:
    """Withhold from runs the gateway's own keys, and the login secret (`oidc.client_secret`).

    If the history is in DQ_DATABASE_URL, runs get this address as DQ_HISTORY_URL. An invalid file withholds nothing; loading the
    project reports it. Raises ConfigError for a DQ_DATABASE_URL that is no PostgreSQL.
    """
    settings = Settings.from_environment()
    if settings.database and not settings.history:
        os.environ["DQ_HISTORY_URL"] = settings.database
    withheld.withhold(_login_variables(Path(settings.config)))


def _login_variables(config: Path) -> set[str]:
    """The variables that `oidc.client_secret` refers to and nothing else does."""
    secret, others = "", set()
    for relative in yaml_files(config):
        try:
            text = (config / relative).read_text(encoding="utf-8")
            if len(relative.parts) == 1 and relative.stem == "project":
                content = yaml.safe_load(text)
                secret = str(content["oidc"]["client_secret"])
                text = text.replace(secret, "", 1)
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
            pass
        else:
            others |= names_in(text)
    return names_in(secret) - others
