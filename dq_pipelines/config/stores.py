"""Connects to object stores, and classifies their errors.

Credentials, region and endpoint come from the environment, and our code neither reads them nor passes them on. delta-rs
opens tables, Polars reads and writes rows, obstore lists, reads and writes single objects. All use the same variable
names (`AWS_…`, `GOOGLE_…`, `AZURE_…`). pyarrow's own file systems are not used: they use other names for the same
settings, and leave an empty object for each folder.
"""

from __future__ import annotations

import errno
import os
import re
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: Supported URL schemes.
SCHEMES = ("s3", "s3a", "gs", "abfs", "abfss", "az")

#: Gives up on a store that does not answer within half a minute; the default of delta-rs is three minutes.
_RETRY_TIMEOUT = timedelta(seconds=20)
_TIMEOUTS = {"connect_timeout": "5s", "retry_timeout": f"{_RETRY_TIMEOUT.seconds}s", "timeout": "30s"}

#: Error numbers that a retry may resolve: the machine lacks a resource, another process holds one, or a host is unreachable.
_TRANSIENT = {
    errno.EAGAIN, errno.EBUSY, errno.EDEADLK, errno.EINTR, errno.ESTALE, errno.ETXTBSY,
    errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOLCK, errno.ENOMEM, errno.ENOSPC,
    errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT,
    errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETRESET, errno.ENETUNREACH,
}  # fmt: skip
#: The same as text, for errors without a number: codes of stores, English messages of native libraries.
_TRANSIENT_TEXT = re.compile(
    r"""\b(?:
      SlowDown | TooManyRequests | ServiceUnavailable | InternalError | InternalFailure | RequestTimeout | ServerBusy
    | OperationTimedOut | (?:status|code|HTTP)[^\n]{0,20}\b(?:408|425|429|500|502|503|504)
    | (?:429|500|502|503|504)[ ](?:Too|Internal|Bad|Service|Gateway)
    | connection[ ](?:refused|reset|closed|aborted|error|timed[ ]out) | broken[ ]pipe | timed[ ]out | operation[ ]timeout
    | network[ ](?:is[ ])?unreachable | host[ ](?:is[ ])?unreachable | no[ ]route[ ]to[ ]host
    | dns[ ]error | failed[ ]to[ ]lookup[ ]address | name[ ]resolution | error[ ]sending[ ]request
    | error[ ]decoding[ ]response[ ]body | end[ ]of[ ]file[ ]before[ ]message[ ]length
    | resource[ ]temporarily[ ]unavailable | (?:device|resource|text[ ]file)[ ](?:or[ ]resource[ ])?busy
    | stale[ ](?:NFS[ ])?file[ ]handle | too[ ]many[ ]open[ ]files | no[ ]space[ ]left | disk[ ]quota[ ]exceeded
    | server[ ]closed[ ]the[ ]connection | terminating[ ]connection
    | database[ ]system[ ]is[ ](?:starting|shutting|in[ ]recovery)
    )""",
    re.VERBOSE | re.IGNORECASE,
)

_FULL_TEXT = re.compile(r"no space left|disk quota exceeded|file too large", re.IGNORECASE)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ANSWER = re.compile(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)


def is_remote(address: str) -> bool:
    """Whether the address is in an object store, not on a disk of this machine."""
    return "://" in address and not address.startswith("file://")


def wrong_scheme(address: str) -> str:
    """`wanted …, got …` for an unsupported scheme, else ""."""
    scheme = address.partition("://")[0]
    if not is_remote(address) or scheme in SCHEMES:
        return ""
    known = ", ".join(f"{name}://" for name in SCHEMES)
    return f"wanted a path or one of {known}, got {scheme}://"


def options(address: str) -> dict[str, str] | None:
    """The storage options for delta-rs, in addition to what it reads from the environment; None for a disk."""
    if not is_remote(address):
        return None
    # For an http:// endpoint delta-rs also requires AWS_ALLOW_HTTP; Polars does not.
    endpoints = (os.environ.get(name, "") for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"))
    plain = address.startswith("s3") and any(endpoint.startswith("http://") for endpoint in endpoints)
    return {**_TIMEOUTS, "allow_http": "true"} if plain else dict(_TIMEOUTS)


def filesystem(address: str) -> tuple[FileSystem, str]:
    """The file system of an address, and the path in it: in an object store, the key in its bucket.

    This makes no request. Raises ValueError for an unsupported scheme, OSError for invalid settings.
    """
    from pyarrow import fs

    if not is_remote(address):
        local: tuple[FileSystem, str] = (fs.LocalFileSystem(), address)
        return fs.FileSystem.from_uri(address) if "://" in address else local
    if wrong := wrong_scheme(address):
        raise ValueError(wrong)
    bucket, key = split(address)
    environment = tuple(item for item in os.environ.items() if item[0].startswith(("AWS_", "AZURE_", "GOOGLE_")))
    return _bucket(bucket, hash(environment)), key


def write_bytes(address: str, content: bytes) -> None:
    """Write a small file in one go; creates its folder on a disk. Raises OSError."""
    files, path = filesystem(address)
    if not is_remote(address):
        files.create_dir(path.rpartition("/")[0], recursive=True)
    with files.open_output_stream(path, compression=None) as stream:
        stream.write(content)


def split(address: str) -> tuple[str, str]:
    """The bucket's URL, with a slash at its end, and the key in it. A key may contain `#`, `?` or `%`."""
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}/", key.rstrip("/")


@lru_cache(maxsize=64)
def _bucket(address: str, _environment: int) -> FileSystem:
    """A client for a bucket, cached with its connections; other settings create another one."""
    from dq_pipelines.config.object_store import bucket

    client = {name: value for name, value in (options(address) or {}).items() if name != "retry_timeout"}
    return bucket(address, client, _RETRY_TIMEOUT)


def error_text(error: BaseException) -> str:
    """A library's error as one line; for a store it may be a chain of causes, with the answer in XML."""
    text = _COLOUR.sub("", str(error)).strip()
    if answer := _ANSWER.search(text):
        return f"{answer[1]}: {answer[2]}"
    lines = [stripped for line in text.splitlines() if (stripped := line.strip(" \t↳"))]
    if not lines:
        return type(error).__name__
    first = lines[0].removeprefix("Kernel error -> ")[:300]
    chained = len(lines) > 1 and ("↳" in text or "Caused by:" in text)
    # The last cause is the useful one: "Connection refused", "403 Forbidden".
    return f"{first}: {re.sub(r'^[0-9]+: ', '', lines[-1])[:300]}" if chained else first


def is_disk_full(error: BaseException) -> bool:
    """Whether a disk is full, or a quota or the limit of a file's size is reached."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    return _FULL_TEXT.search(str(error)) is not None


def is_transient(error: BaseException) -> bool:
    """Whether a retry may succeed: no answer, a locked resource, or a lack of resources on this machine."""
    if isinstance(error, OSError) and error.errno in _TRANSIENT:
        return True
    return _TRANSIENT_TEXT.search(_COLOUR.sub("", str(error))) is not None
