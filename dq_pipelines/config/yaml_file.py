"""Reads a YAML file to plain values, with the line of every key and item for error messages.

A file gives a mapping with text keys, or a ConfigError that lists everything wrong with it as YAML. Scalars follow
`config.scalars`, `${NAME}` follows `config.interpolation`. Only plain values are ever constructed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dq_pipelines.config.interpolation import Interpolated, interpolate
from dq_pipelines.config.scalars import resolve, tagged
from dq_pipelines.errors import ConfigError, Problem

#: Keys and indices that lead to a value.
Location = tuple[str | int, ...]

#: Limits above what people write, since aliases of aliases grow exponentially.
MAX_NODES = 100_000
MAX_DEPTH = 60

_MERGE = "<<"


@dataclass(frozen=True)
class YamlFile:
    """The content of a file, with line numbers."""

    #: path of the file as the user knows it
    file: str
    value: Any
    #: faults in the YAML that did not prevent reading the values
    problems: tuple[Problem, ...] = ()
    #: the line (from 1) of each key and item
    lines: Mapping[Location, int] = field(default_factory=dict, repr=False)
    #: the first line of each text block (`key: |`)
    blocks: Mapping[Location, int] = field(default_factory=dict, repr=False)
    #: the texts with `${NAME}` replaced
    interpolated: Mapping[Location, Interpolated] = field(default_factory=dict, repr=False)

    @property
    def unresolved(self) -> set[Location]:
        """The places of texts in which a `${NAME}` has no value."""
        return {place for place, interpolated in self.interpolated.items() if interpolated.missing}

    def line(self, location: Location) -> int:
        """The line of `location`, or of its nearest ancestor in the file."""
        for length in range(len(location), 0, -1):
            if (line := self.lines.get(location[:length])) is not None:
                return line
        return 1

    def problem(self, location: Location, message: str, line: int | None = None) -> Problem:
        """A problem at `location`; its message hides the value of any `${NAME}` at or below it."""
        for place, interpolated in self.interpolated.items():
            if place[: len(location)] == location:
                message = interpolated.hidden_in(message)
        return Problem(self.file, self.line(location) if line is None else line, message)


def read_yaml(
    path: Path,
    file: str | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    literal: bool = False,
    lists: bool = False,
) -> YamlFile:
    """Read the mapping (or list, with `lists`) in the file at `path`, which messages call `file`.

    `literal` does not replace `${NAME}`. Raises ConfigError for a file that is unreadable, empty or no YAML, and for too many
    aliases or levels. Duplicate keys, tags and `${NAME}` without a value are in `problems`, next to the
    values, so that a caller can report everything at once.
    """
    file = str(path) if file is None else file
    return read_text(text_of(path, file), file, environment, literal=literal, lists=lists)


def read_text(
    text: str, file: str, environment: Mapping[str, str] | None = None, *, literal: bool = False, lists: bool = False
) -> YamlFile:
    """The same for a text; raises ConfigError as `read_yaml` does."""
    reader = _Reader(file, environment, literal=literal)
    root = reader.tree(text, lists=lists)
    value = reader.plain(root, (), 0)
    return YamlFile(file, value, tuple(reader.problems), reader.lines, reader.blocks, reader.interpolated)


def text_of(path: Path, file: str) -> str:
    """The text of a UTF-8 file; raises ConfigError, with one sentence, if it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(file, 0, f"wanted to read the file, got: {error.strerror}")]) from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError([Problem(file, 1, "wanted UTF-8, got UTF-16")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(file, line, f"wanted UTF-8, got the byte 0x{content[error.start]:02x}")]) from None


# --- from text to nodes ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    line: int


@dataclass(slots=True)
class _Scalar(_Node):
    text: str
    plain: bool
    tag: str | None
    block: bool


@dataclass(slots=True)
class _Sequence(_Node):
    items: list[_Node] = field(default_factory=list)


@dataclass(slots=True)
class _Mapping(_Node):
    #: alternating keys and values, in order
    items: list[_Node] = field(default_factory=list)

    def pairs(self) -> Iterator[tuple[_Node, _Node]]:
        return zip(self.items[::2], self.items[1::2], strict=True)


class _Reader:
    """Reads one file; collects lines, problems and replaced texts."""

    def __init__(self, file: str, environment: Mapping[str, str] | None, *, literal: bool) -> None:
        self.file = file
        self.literal = literal
        self.environment = environment
        self.problems: list[Problem] = []
        self.lines: dict[Location, int] = {}
        self.blocks: dict[Location, int] = {}
        self.interpolated: dict[Location, Interpolated] = {}
        self.nodes = 0

    def _fatal(self, line: int, message: str) -> ConfigError:
        return ConfigError([*self.problems, Problem(self.file, line, message)])

    def _note(self, line: int, message: str) -> None:
        problem = Problem(self.file, line, message)
        if problem not in self.problems:  # an alias is visited more than once
            self.problems.append(problem)

    def tree(self, text: str, *, lists: bool) -> _Node:
        """The root node, built from events, since yaml.compose() recurses in C without a limit."""
        try:
            root = self._tree(text)
        except yaml.YAMLError as error:
            line, message = _syntax(error, text)
            raise self._fatal(line, message) from None
        if root is None:
            raise self._fatal(0, "wanted a mapping, got an empty file")
        if not isinstance(root, (_Mapping, _Sequence) if lists else _Mapping):
            found = "a list" if isinstance(root, _Sequence) else "a single value"
            raise self._fatal(root.line, f"wanted a mapping, got {found}")
        return root

    def _tree(self, text: str) -> _Node | None:
        root: _Node | None = None
        anchors: dict[str, _Node] = {}
        open_: list[_Sequence | _Mapping] = []
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.CollectionEndEvent):
                open_.pop()
                continue
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise self._fatal(line, "wanted one YAML document, got a second one")
            if not isinstance(event, yaml.NodeEvent):
                continue
            node = self._node(event, line, anchors, open_)
            if open_:
                open_[-1].items.append(node)
            else:
                root = node
            if isinstance(node, _Sequence | _Mapping) and not isinstance(event, yaml.AliasEvent):
                open_.append(node)
                if len(open_) > MAX_DEPTH:
                    raise self._fatal(line, f"wanted at most {MAX_DEPTH} levels, got deeper nesting")
        return root

    def _node(self, event: Any, line: int, anchors: dict[str, _Node], open_: list[Any]) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise self._fatal(line, f"wanted an anchor &{event.anchor} above, found none")
            node = anchors[event.anchor]
            if any(node is each for each in open_):
                raise self._fatal(line, f"wanted a value, got *{event.anchor}, which contains itself")
            return node
        node = self._new(event, line)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._fatal(line, f"wanted at most {MAX_NODES:,} values, got more")
        if event.anchor is not None:
            anchors[event.anchor] = node
        return node

    def _new(self, event: Any, line: int) -> _Node:
        if isinstance(event, yaml.ScalarEvent):
            return _Scalar(line, event.value, event.implicit[0], event.tag, event.style == "|")
        if event.tag is not None and event.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._note(line, f"wanted no tag, got {event.tag.replace('tag:yaml.org,2002:', '!!')}")
        return _Mapping(line) if isinstance(event, yaml.MappingStartEvent) else _Sequence(line)

    # --- from nodes to plain values ----------------------------------------------------------------

    def plain(self, node: _Node, place: Location, depth: int) -> Any:
        """The value of `node`, with its lines recorded under `place`; depth and size are limited, aliases included."""
        self.nodes += 1
        if self.nodes > 2 * MAX_NODES:
            raise self._fatal(node.line, f"wanted at most {MAX_NODES:,} values, got aliases that make more")
        if depth > MAX_DEPTH:
            raise self._fatal(node.line, f"wanted at most {MAX_DEPTH} levels, got aliases that nest deeper")
        if isinstance(node, _Mapping):
            return self._mapping(node, place, depth)
        if isinstance(node, _Sequence):
            for index, item in enumerate(node.items):
                self.lines[*place, index] = item.line
            return [self.plain(item, (*place, index), depth + 1) for index, item in enumerate(node.items)]
        assert isinstance(node, _Scalar)  # noqa: S101 - there is no other kind
        return self._scalar(node, place)

    def _mapping(self, node: _Mapping, place: Location, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        merged: list[tuple[_Node, _Node]] = []
        for key_node, value_node in node.pairs():
            if not isinstance(key_node, _Scalar):
                self._note(key_node.line, "wanted text as a key, got a list or a mapping")
                continue
            key = key_node.text
            if key == _MERGE and key_node.plain:
                merged.append((key_node, value_node))
            elif key in first:
                self._note(key_node.line, f"duplicate key '{key}': it stands in line {first[key]} already")
            else:
                first[key] = self.lines[*place, key] = key_node.line
                found[key] = self.plain(value_node, (*place, key), depth + 1)
        for key_node, value_node in merged:
            self._merge(found, key_node, value_node, place, depth)
        return found

    def _merge(self, found: dict[str, Any], key: _Node, value: _Node, place: Location, depth: int) -> None:
        """YAML 1.1's `<<: *defaults`: adds the other mapping's keys, unless they exist."""
        for other in value.items if isinstance(value, _Sequence) else [value]:
            if not isinstance(other, _Mapping):
                self._note(key.line, "wanted a mapping behind <<, got something else")
                continue
            # Only new keys may record their lines under this place.
            own = {each.text for each, _ in other.pairs() if isinstance(each, _Scalar)} - found.keys()
            fresh = _Mapping(other.line, [
                part for pair in other.pairs() if isinstance(pair[0], _Scalar) and pair[0].text in own for part in pair
            ])  # fmt: skip
            found |= self._mapping(fresh, place, depth + 1)

    def _scalar(self, node: _Scalar, place: Location) -> Any:
        try:
            value = (
                tagged(node.text, node.tag) if node.tag is not None else resolve(node.text) if node.plain else node.text
            )
        except ValueError as error:
            self._note(node.line, str(error))
            return node.text
        if node.block:
            self.blocks[place] = node.line + 1
        if self.literal or not isinstance(value, str) or "${" not in value:
            return value
        interpolated = interpolate(value, self.environment)
        for sentence in interpolated.missing:
            self._note(node.line + (1 if node.block else 0), sentence)
        self.interpolated[place] = interpolated
        return interpolated.text


#: Translations of libyaml's messages; the first match counts.
_TRANSLATIONS = (
    (r"character that cannot start any token", "wanted a value, got {char} (quote it, if it is text)"),
    (r"did not find expected ',' or '([\]}])'", "wanted ',' or '{0}' to go on with or close what line {context} opened"),
    (r"mapping values are not allowed", "wanted no second ':' here (quote the text, or indent as the lines above)"),
    (r"could not find expected ':'", "wanted ':' after the key"),
    (r"did not find expected key", "wanted a key, indented as the others of its mapping"),
    (r"did not find expected '-' indicator", "wanted another '- ' item, indented as the others of its list"),
    (r"found unexpected end of stream", "wanted the closing quote of the text that begins in line {context}, got the end"),
    (r"expected <document start>", "wanted one mapping, got something else beside it"),
    (r"found unexpected ':'", "wanted ',' or a closing bracket before this ':' (quote the text, if it is part of it)"),
    (r"did not find expected node content", "wanted a value, got {char}"),
    (r"found unknown escape character", "wanted an escape that YAML knows (use single quotes for a regex)"),
)  # fmt: skip


def _character(text: str, line: int, column: int) -> str:
    lines = text.splitlines()
    return lines[line][column : column + 1] if line < len(lines) else ""


def _syntax(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line of a syntax error, and one sentence."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text.encode()[: error.position].decode(errors="ignore")
        return before.count("\n") + 1, f"wanted printable text, got the character U+{int(error.character):04X}"
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    line = mark.line + 1 if mark else 0
    reason = str(getattr(error, "problem", None) or error).splitlines()[0]
    found = _character(text, mark.line, mark.column) if mark else ""
    if found == "\t":
        return line, "wanted spaces to indent, got a tab"
    for pattern, message in _TRANSLATIONS:
        if match := re.search(pattern, reason):
            opened = context.line + 1 if context else line
            return line, message.format(*match.groups(), char=repr(found), context=opened)
    return line, f"wanted YAML: {reason}"
