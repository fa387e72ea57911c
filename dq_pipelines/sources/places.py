"""Addresses, and whether a file lies where a source may read, links followed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from urllib.parse import unquote, urlsplit

from dq_pipelines.config.settings import Settings
from dq_pipelines.config.stores import is_remote

_MAGIC = re.compile(r"[*?\[]")


def local_path(path: str) -> str:
    """The absolute path on this machine that a source's `path` means, wildcards as they stand."""
    if path.startswith("file://"):
        path = unquote(urlsplit(path).path)
    return os.path.abspath(os.path.expanduser(path))


def absolute(address: str) -> str:
    """The address of a place on this machine as an absolute path, and one in a store as it is."""
    return address if is_remote(address) else local_path(address)


def is_absolute(address: str) -> bool:
    """Whether it is an absolute path or a URI."""
    return address.startswith("/") or is_remote(address)


def may_read(address: str) -> bool:
    """Whether this process has the right to read a file or folder. A store is not asked: it refuses when it is read."""
    return is_remote(address) or os.access(address, os.R_OK, effective_ids=True)


def is_below(address: str, place: str) -> bool:
    """Whether an address, as far as it has no wildcards, lies below a place, with every `..` and link resolved."""
    if is_remote(address) or is_remote(place):
        # A store knows no `..`, but whatever stands before it may.
        plain = unquote(address)
        return ".." not in plain.split("/") and "\\" not in plain and address.startswith(place.rstrip("/") + "/")
    if "\x00" in address:
        return False
    return _within(os.path.realpath(_before_wildcards(local_path(address))), os.path.realpath(local_path(place)))


def confinement(path: str, base: str, places: Sequence[str] = ()) -> Callable[[str], str]:
    """Gives for each file of a local address one sentence where it may not be read, else "".

    `base` is the folder above the first wildcard of `path`. With `places`, a file has to lie below one of them. Without, a
    link may lead anywhere below `base`, and below the landing folder where `base` is part of it. A path without wildcards,
    outside of landing, may be any link: who wrote the path meant it.
    """
    landing = Settings.from_environment().landing
    roots = [os.path.realpath(local_path(place)) for place in places if not is_remote(place)]
    if not places:
        lands = not is_remote(landing) and _within(base, local_path(landing))
        if base == path and not lands:
            return lambda _: ""
        folder = base if os.path.isdir(base) else os.path.dirname(base)
        roots = [os.path.realpath(folder), *([os.path.realpath(local_path(landing))] if lands else [])]
    folder_of = cache(os.path.realpath)

    def objection(file: str) -> str:
        folder, name = os.path.split(file)
        real = os.path.realpath(file) if os.path.islink(file) else os.path.join(folder_of(folder), name)
        if any(_within(real, root) for root in roots):
            return ""
        return f"a link leads to {os.path.realpath(file)}, which is outside of {' and '.join(dict.fromkeys(roots))}"

    return objection


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _before_wildcards(path: str) -> str:
    parts = []
    for part in path.split("/"):
        if _MAGIC.search(part):
            break
        parts.append(part)
    return "/".join(parts) or "/"
