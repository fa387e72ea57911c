"""What a table's YAML may not say when it comes from afar, although one that stands on the disk may.

Who writes to the disk of the server is its master already. Who may change tables over the network is not: a YAML can name
Python, which is run, variables of the environment, which hold secrets, and places, which the server can read and its caller
cannot. Everything here is looked at before anything of it is imported or read. What the file said before it may say again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from dq_pipelines.config.interpolation import interpolate, names_in
from dq_pipelines.config.settings import DEFAULTS
from dq_pipelines.config.stores import is_remote
from dq_pipelines.config.yaml_file import Location
from dq_pipelines.sources.files import local_path

#: More than a table needs.
LONGEST = 256 * 1024

#: Polars' SQL has functions that read files and addresses.
_READS = re.compile(r"\bread_(?:csv|ipc|json|ndjson|parquet|avro|delta)\b", re.IGNORECASE)
_MAGIC = re.compile(r"[*?\[]")

Objection = tuple[Location, str]


@dataclass(frozen=True)
class Trust:
    """How far somebody is trusted who sends a YAML."""

    #: whether it may name Python functions
    functions: bool = False
    #: folders and addresses below which a source may read
    places: tuple[str, ...] = ()
    #: variables of the environment that it may name
    variables: frozenset[str] = frozenset(DEFAULTS)

    @classmethod
    def from_environment(cls, *, functions: bool) -> Trust:
        """`DQ_LANDING`, and what `DQ_REST_PLACES` and `DQ_REST_VARIABLES` name, separated by commas."""
        landing = os.environ.get("DQ_LANDING") or DEFAULTS["DQ_LANDING"]
        return cls(
            functions, (landing, *_listed("DQ_REST_PLACES")), frozenset({*DEFAULTS, *_listed("DQ_REST_VARIABLES")})
        )

    def objections(self, said: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Objection]:
        """What is not for this sender: the place, and a sentence. Both mappings have `${NAME}` as it stands."""
        yield from self._variables(said, before)
        yield from self._place(said, before)
        yield from _suite(said)
        if not self.functions:
            known = {name for _, name in _functions(before)}
            for place, name in _functions(said):
                if name not in known:
                    yield place, f"wanted no Python from afar unless by an admin of everything, got '{name[:60]}'"
        for place, text in _texts(_judging(said)):
            if _READS.search(text):
                yield place, "wanted SQL over the table's own rows, got a function that reads files or addresses"

    def _variables(self, said: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Objection]:
        known = dict(_texts(before))
        for place, text in _texts(said):
            foreign = sorted(names_in(text) - self.variables)
            if foreign and known.get(place) != text:
                wanted = f"wanted {', '.join(sorted(self.variables))}, or the text that stood here before"
                yield place, f"{wanted}, got ${{{foreign[0][:60]}}} (DQ_REST_VARIABLES names more)"

    def _place(self, said: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Objection]:
        text, stood = _path(said), _path(before)
        if text is None or text == stood:
            return
        address = interpolate(text).text
        if not any(_is_below(address, interpolate(place).text) for place in self.places):
            yield ("source", "path"), f"wanted a place below DQ_LANDING or one of DQ_REST_PLACES, got '{text[:120]}'"


def _listed(name: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def _path(said: Mapping[str, Any]) -> str | None:
    source = said.get("source")
    path = source.get("path") if isinstance(source, dict) else None
    return path if isinstance(path, str) else None


def _is_below(address: str, place: str) -> bool:
    """Whether it lies in that place, whatever `..` and links there are on the way."""
    if is_remote(address) or is_remote(place):
        # A store knows no `..`, but whatever stands before it may.
        plain = unquote(address)
        return ".." not in plain.split("/") and "\\" not in plain and address.startswith(place.rstrip("/") + "/")
    if "\x00" in address:
        return False
    within, found = Path(local_path(place)).resolve(), local_path(address)
    fixed = "/".join(part for part in _before_wildcards(found))
    return Path(fixed or "/").resolve().is_relative_to(within)


def _before_wildcards(path: str) -> Iterator[str]:
    for part in path.split("/"):
        if _MAGIC.search(part):
            return
        yield part


def _suite(said: Mapping[str, Any]) -> Iterator[Objection]:
    for layer in ("silver", "gold"):
        section = said.get(layer)
        rules = section.get("rules") if isinstance(section, dict) else None
        if isinstance(rules, str) and (rules.startswith(("/", "~")) or ".." in rules.split("/") or "\\" in rules):
            yield (layer, "rules"), f"wanted a suite below the table's own folder, got '{rules[:120]}'"


def _judging(said: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that may hold SQL that Polars runs, and functions."""
    sections = {layer: section for layer in ("silver", "gold") if isinstance(section := said.get(layer), dict)}
    return {
        layer: {key: section[key] for key in ("transform", "rules", "python") if key in section}
        for layer, section in sections.items()
    }


def _functions(said: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    """Where Python of somebody's own is named: `python:`, `function:`, and expectations of the user's own."""
    for place, text in _texts(_judging(said)):
        own_expectation = place[-1] in ("type", "expectation_type") and ":" in text
        if place[-1] in ("python", "function") or own_expectation:
            yield place, text


def _texts(value: Any, place: Location = ()) -> Iterator[tuple[Location, str]]:
    """Every text below, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*place, index))
