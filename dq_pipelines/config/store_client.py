"""The client of object stores: deltalake brings one, for tables of any format and for plain files.

The only file outside of `lake/formats/delta` and `sources/delta` that imports deltalake; nothing here knows Delta tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


def store_errors() -> tuple[type[BaseException], ...]:
    """What the client raises. Asked for once something was raised, and not before: the library takes 0.1 s to import."""
    from deltalake.exceptions import DeltaError

    return (DeltaError,)


def client(bucket: str, options: Mapping[str, str] | None) -> FileSystem:
    """The file system of a bucket's address; raises what `store_errors` names for settings of which no connection can be made."""
    from deltalake.fs import DeltaStorageHandler
    from pyarrow import fs

    return fs.PyFileSystem(DeltaStorageHandler(bucket, None if options is None else dict(options)))
