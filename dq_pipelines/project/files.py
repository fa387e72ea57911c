"""Finds the YAML files of a project's tables on the disk, and reads them without validation."""

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
    """One table's file; its path gives its name and its domain."""

    name: str
    domain: str
    path: Path

    @property
    def content(self) -> bytes:
        """The bytes of the file; raises OSError."""
        return self.path.read_bytes()

    @cached_property
    def raw(self) -> Mapping[str, Any]:
        """The content at the first read, `${NAME}` not replaced; empty if it is no YAML."""
        return said_by(self.path)

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners it names, whether the file is valid or not."""
        return owners_of(self.raw)

    @property
    def place(self) -> tuple[str, str] | None:
        """The type and the path of its source, `${NAME}` not replaced, without passwords."""
        source = self.raw.get("source")
        if not isinstance(source, dict):
            return None
        return str(source.get("type", "")), _PASSWORD.sub(r"\1:…@", str(source.get("path", "")))


def table_files(root: str | Path) -> dict[str, TableFile]:
    """The table files below this folder by table, ordered by domain and name; of two with one name, the first."""
    files: dict[str, TableFile] = {}
    for file in _all_files(Path(root)):
        files.setdefault(file.name, file)
    return files


def _all_files(root: Path) -> Iterator[TableFile]:
    for relative in yaml_files(root):
        if len(relative.parts) > 1:
            yield TableFile(relative.stem, relative.parts[0], root / relative)


def mark_of(content: bytes) -> str:
    """A digest of this content, for optimistic locking."""
    return hashlib.sha256(content).hexdigest()[:32]


def said_by(path: Path) -> Mapping[str, Any]:
    """The content of a YAML file, `${NAME}` not replaced; empty if it is no YAML."""
    try:
        content = read_yaml(path, literal=True).value
    except ConfigError:
        return {}
    return content if isinstance(content, dict) else {}
