"""One upload: a file in a folder of its own, with a record of who sent it. Where these folders are belongs in `staging`."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from dq_pipelines.errors import ConfigError
from dq_pipelines.uploads.file_names import FileKind, ending_of, kind_of_name
from dq_pipelines.uploads.open_folder import OpenFolder

RECORD = "upload.json"


@dataclass(frozen=True)
class Upload:
    """A whole file that waits to be saved."""

    id: str
    #: its name, checked
    name: str
    domain: str
    #: the folder below the landing folder in which it may land
    folder: str
    by: str
    at: datetime
    #: bytes
    size: int

    @property
    def kind(self) -> FileKind:
        return kind_of_name(self.name)

    @property
    def file(self) -> str:
        """The name under which it waits."""
        return f"file{ending_of(self.name)}"

    def write_record(self, own: OpenFolder) -> None:
        """Write who sent the file next to it."""
        own.remove(RECORD)
        with own.creating(RECORD) as stream:
            stream.write(json.dumps(asdict(self) | {"at": self.at.isoformat()}).encode())


def recorded(own: OpenFolder) -> Upload | None:
    """The upload in its folder; None for what is no upload."""
    try:
        with own.reading(RECORD) as stream:
            told: Any = json.load(stream)
        kind_of_name(told["name"])
        found = Upload(**told | {"at": datetime.fromisoformat(told["at"])})
        is_file = not own.has(found.file) or stat.S_ISREG(own.status(found.file).st_mode)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError):
        return None  # removed meanwhile, or no upload
    return found if is_file else None
