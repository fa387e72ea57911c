"""Object stores: how they are reached, said once for all rooms. What lies in them is read in `sources` and `lake`.

Credentials, region and endpoint come from the environment, and no line of ours reads or passes them on: delta-rs
opens tables, lists and reads single objects (here), Polars reads and writes rows, and both know the same names
(`AWS_…`, `GOOGLE_…`, `AZURE_…`). pyarrow's own file systems are not used: they have other names for the same
things, and leave an empty object behind for each folder that they think of.
"""

from __future__ import annotations

import errno
import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from dq_pipelines.config.store_client import client, store_errors

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: What an address may begin with.
SCHEMES = ("s3", "s3a", "gs", "abfs", "abfss", "az")

#: A store that does not answer is given up within half a minute; by itself delta-rs goes on for three.
_PATIENCE = {"connect_timeout": "5s", "retry_timeout": "20s", "timeout": "30s"}

#: What the machine is short of, what somebody else holds just now, and whom nobody can reach: none of it is a file's fault.
_PASSING = {
    errno.EAGAIN, errno.EBUSY, errno.EDEADLK, errno.EINTR, errno.ESTALE, errno.ETXTBSY,
    errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOLCK, errno.ENOMEM, errno.ENOSPC,
    errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT,
    errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETRESET, errno.ENETUNREACH,
}  # fmt: skip
#: The same in the words of those who give no number: stores by their codes, native libraries in English.
_PASSING_WORDS = re.compile(
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

_FULL_WORDS = re.compile(r"no space left|disk quota exceeded|file too large", re.IGNORECASE)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ANSWER = re.compile(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)


def is_remote(address: str) -> bool:
    """Whether it lies in an object store rather than on a disk of this machine."""
    return "://" in address and not address.startswith("file://")


def wrong_scheme(address: str) -> str:
    """`wanted …, got …` when an address begins with nothing that we know, else the empty string."""
    scheme = address.partition("://")[0]
    if not is_remote(address) or scheme in SCHEMES:
        return ""
    known = ", ".join(f"{name}://" for name in SCHEMES)
    return f"wanted a path or one of {known}, got {scheme}://"


def options(address: str) -> dict[str, str] | None:
    """What delta-rs is told of a store beside what it reads from the environment; None for a disk."""
    if not is_remote(address):
        return None
    # An endpoint that says http:// means it; Polars takes it so, delta-rs wants AWS_ALLOW_HTTP as well.
    endpoints = (os.environ.get(name, "") for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"))
    plain = address.startswith("s3") and any(endpoint.startswith("http://") for endpoint in endpoints)
    return {**_PATIENCE, "allow_http": "true"} if plain else dict(_PATIENCE)


def filesystem(address: str) -> tuple[FileSystem, str]:
    """The file system that holds an address, and the path in it: of an object store, the key in its bucket.

    Nothing is asked of the store yet. Raises ValueError for a scheme that nobody knows, OSError for settings
    of which no connection can be made.
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
    """A small file with this content, whole; on a disk its folder is made. Raises OSError, or what `store_errors` names."""
    files, path = filesystem(address)
    if not is_remote(address):
        files.create_dir(path.rpartition("/")[0], recursive=True)
        with files.open_output_stream(path) as stream:
            stream.write(content)
        return
    # Not through pyarrow: it hands over a buffer of its own, and delta-rs takes bytes alone.
    stream = files.handler._handler.open_output_stream(path, None)  # noqa: SLF001 - what its own wrapper calls
    stream.write(content)
    stream.close()


def split(address: str) -> tuple[str, str]:
    """The bucket's address, with a slash at its end, and the key in it. A key may hold `#`, `?` or `%`."""
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}/", key.rstrip("/")


@lru_cache(maxsize=64)
def _bucket(address: str, _environment: int) -> FileSystem:
    """One client for a bucket, which keeps its connections; other settings make another one."""
    try:
        return client(address, options(address))
    except store_errors() as error:
        raise OSError(said(error)) from None


def said(error: BaseException) -> str:
    """One line of what a library says, which for a store may be a chain of causes with the answer in XML."""
    text = _COLOUR.sub("", str(error)).strip()
    if answer := _ANSWER.search(text):
        return f"{answer[1]}: {answer[2]}"
    lines = [stripped for line in text.splitlines() if (stripped := line.strip(" \t↳"))]
    if not lines:
        return type(error).__name__
    first = lines[0].removeprefix("Kernel error -> ")[:300]
    chained = len(lines) > 1 and ("↳" in text or "Caused by:" in text)
    # The last cause is the one that a person can mend: "Connection refused", "403 Forbidden".
    return f"{first}: {re.sub(r'^[0-9]+: ', '', lines[-1])[:300]}" if chained else first


def is_full(error: BaseException) -> bool:
    """Whether a disk takes no more: it is full, or a quota or a limit on the size of files is reached."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    return _FULL_WORDS.search(str(error)) is not None


def is_passing(error: BaseException) -> bool:
    """Whether it may be gone at the next try: nobody answers, somebody is at it, or the machine is short of something."""
    if isinstance(error, OSError) and error.errno in _PASSING:
        return True
    return _PASSING_WORDS.search(_COLOUR.sub("", str(error))) is not None
