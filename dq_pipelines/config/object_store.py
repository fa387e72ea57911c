"""Buckets of object stores as pyarrow file systems, through obstore.

obstore reads credentials, region and endpoint from the environment, under the names that delta-rs and Polars read too.
Errors of the store become OSError with the store's own sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import obstore
import pyarrow as pa
from obstore.exceptions import BaseError, PermissionDeniedError
from obstore.store import ObjectStore, from_url
from pyarrow import fs

#: The sentence of an operating system in the causes that obstore prints with an error.
_REASON = re.compile(r'message: "([^"\n]+)"')

#: Bytes that one request of a reader asks for.
_BUFFER = 8 * 1024 * 1024


def bucket(address: str, client: Mapping[str, Any], retry_timeout: timedelta) -> fs.FileSystem:
    """The file system of a bucket's URL, whose paths are keys in it. Makes no request; raises OSError for invalid settings.

    `client` has obstore's `ClientConfig`: `timeout`, `allow_http`, …; `retry_timeout` bounds all tries of one request.
    """
    with _as_os_errors():
        settings: Any = {"client_options": dict(client), "retry_config": {"retry_timeout": retry_timeout}}
        store = from_url(address, credential_provider=_profile(address), **settings)
    return fs.PyFileSystem(_Bucket(store))


def _profile(address: str) -> Any:
    """What reads the profiles in `~/.aws`, where nothing else in the environment says who asks; needs boto3. Else None."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")
    if not address.startswith("s3") or any(os.environ.get(name) for name in names):
        return None
    if not os.environ.get("AWS_PROFILE") and not _files_have_credentials():
        return None
    try:
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ModuleNotFoundError as error:
        raise OSError(f"wanted boto3, which reads the profiles in ~/.aws: {error}") from None
    try:
        return Boto3CredentialProvider()
    except (BotoCoreError, ValueError) as error:
        raise OSError(f"wanted credentials of a profile in ~/.aws, got: {error}") from None


#: Keys of `~/.aws/config` that say where credentials come from. A file with a region alone says nothing of them.
_CREDENTIAL_KEYS = (
    "aws_access_key_id", "credential_process", "credential_source", "login_session", "role_arn", "sso_", "source_profile",
    "web_identity_token_file",
)  # fmt: skip


def _files_have_credentials() -> bool:
    """Whether the files in `~/.aws` name credentials; else the machine's own role may do."""
    credentials = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")).expanduser()
    config = Path(os.environ.get("AWS_CONFIG_FILE", "~/.aws/config")).expanduser()
    if credentials.exists():
        return True
    lines = config.read_text(encoding="utf-8", errors="replace").splitlines() if config.is_file() else []
    return any(line.strip().startswith(_CREDENTIAL_KEYS) for line in lines)


class _Bucket(fs.FileSystemHandler):  # type: ignore[misc]  # pyarrow has no types
    """One bucket. It has no folders: a folder is what keys have before a slash, and is there as long as a key is."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def get_type_name(self) -> str:
        return "object_store"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: Sequence[str]) -> list[fs.FileInfo]:
        return [self._info(path) for path in paths]

    def _info(self, path: str) -> fs.FileInfo:
        with _as_os_errors():
            if path:  # the bucket itself would answer, too
                # The answer to a HEAD has no reason for a refusal, a listing has one.
                with suppress(FileNotFoundError, PermissionDeniedError):
                    return _file(obstore.head(self._store, path), path)
            below = obstore.list_with_delimiter(self._store, path or None)
        there = below["objects"] or below["common_prefixes"]
        return fs.FileInfo(path, fs.FileType.Directory if there else fs.FileType.NotFound)

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        with _as_os_errors():
            if selector.recursive:
                objects = obstore.list(self._store, selector.base_dir or None).collect()
                folders: Sequence[str] = _folders((one["path"] for one in objects), selector.base_dir)
            else:
                below = obstore.list_with_delimiter(self._store, selector.base_dir or None)
                objects, folders = below["objects"], below["common_prefixes"]
        # None of them is no error, whatever the selector allows: another run may have removed the last key just now.
        return [*(fs.FileInfo(path, fs.FileType.Directory) for path in folders), *(_file(one) for one in objects)]

    def open_input_stream(self, path: str) -> pa.PythonFile:
        return self.open_input_file(path)

    def open_input_file(self, path: str) -> pa.PythonFile:
        with _as_os_errors():
            return pa.PythonFile(_Reader(obstore.open_reader(self._store, path, buffer_size=_BUFFER)), mode="r")

    def open_output_stream(self, path: str, metadata: Any) -> pa.PythonFile:
        return pa.PythonFile(_Writer(self._store, path), mode="w")

    def open_append_stream(self, path: str, metadata: Any) -> pa.PythonFile:
        raise NotImplementedError("an object cannot be appended to")

    def create_dir(self, path: str, recursive: bool) -> None:
        """Nothing to do: there are no folders."""

    def delete_file(self, path: str) -> None:
        with _as_os_errors():
            obstore.delete(self._store, path)

    def delete_dir(self, path: str) -> None:
        self.delete_dir_contents(path)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = True) -> None:
        with _as_os_errors():
            if keys := [one["path"] for one in obstore.list(self._store, path).collect()]:
                obstore.delete(self._store, keys)

    def delete_root_dir_contents(self) -> None:
        raise NotImplementedError("a bucket is not emptied")

    def move(self, src: str, dest: str) -> None:
        with _as_os_errors():
            obstore.rename(self._store, src, dest)

    def copy_file(self, src: str, dest: str) -> None:
        with _as_os_errors():
            obstore.copy(self._store, src, dest)


class _Reader:
    """What `pyarrow.PythonFile` asks of a stream that it reads."""

    closed = False

    def __init__(self, stream: obstore.ReadableFile) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        with _as_os_errors():
            return bytes(self._stream.read(None if size < 0 else size))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def size(self) -> int:
        return self._stream.size

    def close(self) -> None:
        self.closed = True


class _Writer(BytesIO):
    """Sends its content when it is closed: an object exists whole, or not at all. For what fits into memory."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        super().__init__()
        self._store = store
        self._path = path

    def close(self) -> None:
        if not self.closed:
            content = self.getvalue()
            super().close()
            with _as_os_errors():
                obstore.put(self._store, self._path, content)


def _file(found: Any, path: str | None = None) -> fs.FileInfo:
    modified = found["last_modified"]
    nanoseconds = int(modified.timestamp()) * 10**9 + modified.microsecond * 1000
    return fs.FileInfo(path or found["path"], fs.FileType.File, size=found["size"], mtime_ns=nanoseconds)


def _folders(keys: Iterator[str], base: str) -> Sequence[str]:
    """The folders of keys below a folder."""
    root = PurePosixPath(base)
    found = {
        str(parent)
        for key in keys
        for parent in PurePosixPath(key).parents
        if parent != root and root in parent.parents
    }
    return sorted(found)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except (BaseError, ValueError) as error:
        sentence, _, debug = str(error).partition("\n\nDebug source:")
        reasons = _REASON.findall(debug)  # the last cause is the useful one: "Connection refused"
        raise OSError(f"{sentence}: {reasons[-1]}" if reasons else sentence) from None
