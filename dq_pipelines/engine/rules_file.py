"""Rules in a file of their own: a YAML list, or a suite that Great Expectations has saved, with the line of each.

`rules` interprets them; here is only where they stand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dq_pipelines.config.yaml_file import Location, YamlFile, read_yaml, text_of
from dq_pipelines.errors import ConfigError, Problem

#: Under which key the list stands, when it is not the whole file; the first that is there.
_KEYS = ("expectations", "rules")


@dataclass(frozen=True)
class RulesFile:
    """The rules of one file, not yet looked at."""

    rules: list[Any]
    #: the file as YAML, which JSON is too
    yaml: YamlFile
    #: where in the file the list stands
    at: Location

    def problem(self, place: Location, message: str) -> Problem:
        """What is wrong at `place`, which begins with the index of a rule."""
        return self.yaml.problem((*self.at, *place), message)


def read_rules_file(path: Path, file: str | None = None) -> RulesFile:
    """The rules in the file at `path`, which messages call `file`: JSON taken as it is, YAML with `${NAME}`.

    Raises ConfigError when there is no list of rules to be had.
    """
    file = str(path) if file is None else file
    if not path.is_file():
        raise ConfigError([Problem(file, 0, "wanted a file of rules, found none")])
    if path.suffix == ".json":
        content, yaml = _json(path, file), _lines_of(path, file)
    else:
        yaml = read_yaml(path, file, lists=True)
        content = yaml.value
        if yaml.problems:
            raise ConfigError(yaml.problems)
    if isinstance(content, list):
        return RulesFile(content, yaml, ())
    for key in _KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), list):
            return RulesFile(content[key], yaml, (key,))
    raise ConfigError(
        [Problem(file, 0, "wanted a list of rules, or a mapping with `rules` or `expectations`, found none")]
    )


def _json(path: Path, file: str) -> Any:
    try:
        return json.loads(text_of(path, file))
    except json.JSONDecodeError as error:
        raise ConfigError([Problem(file, error.lineno, f"wanted JSON, got: {error.msg}")]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem(file, 0, f"wanted JSON, got: {error}")]) from None


def _lines_of(path: Path, file: str) -> YamlFile:
    """The lines of a JSON file; none, should YAML part ways with it."""
    try:
        return read_yaml(path, file, literal=True, lists=True)
    except ConfigError:
        return YamlFile(file, {})
