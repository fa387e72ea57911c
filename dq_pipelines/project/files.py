"""The YAML files of a project on the disk, one per table, as they stand: found and read, and not understood.

What they say is read in `loading`; how they are changed from afar, in `editing`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dq_pipelines.config.yaml_file import read_yaml
from dq_pipelines.errors import ConfigError
from dq_pipelines.project.loading import yaml_files
from dq_pipelines.project.model import owners_of

#: A password within an address.
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^@/\s]*@")


@dataclass(frozen=True)
class TableFile:
    """One table's file: its name and its domain are where it stands."""

    name: str
    domain: str
    path: Path

    @property
    def content(self) -> bytes:
        """What stands in it; raises OSError."""
        return self.path.read_bytes()

    @cached_property
    def raw(self) -> Mapping[str, Any]:
        """What it said when it was first read, `${NAME}` as it stands there; nothing where it is no YAML."""
        return said_by(self.path)

    @property
    def owners(self) -> tuple[str, ...]:
        """Whom it names as owners, sound or not."""
        return owners_of(self.raw)

    @property
    def place(self) -> tuple[str, str] | None:
        """The kind and the place of what it reads, without the value of any `${NAME}` and without passwords."""
        source = self.raw.get("source")
        if not isinstance(source, dict):
            return None
        return str(source.get("type", "")), _PASSWORD.sub(r"\1:…@", str(source.get("path", "")))


def table_files(root: str | Path) -> dict[str, TableFile]:
    """The files of tables below this folder by table, in the order of domains and names; of two of a name the first."""
    found: dict[str, TableFile] = {}
    for file in _those(Path(root)):
        found.setdefault(file.name, file)
    return found


def _those(root: Path) -> Iterator[TableFile]:
    for relative in yaml_files(root):
        if len(relative.parts) > 1:
            yield TableFile(relative.stem, relative.parts[0], root / relative)


def mark_of(content: bytes) -> str:
    """What tells this content of a file from any other."""
    return hashlib.sha256(content).hexdigest()[:32]


def said_by(path: Path) -> Mapping[str, Any]:
    """What a YAML file says, `${NAME}` as it stands there; nothing where it is no YAML."""
    try:
        found = read_yaml(path, literal=True).value
    except ConfigError:
        return {}
    return found if isinstance(found, dict) else {}
