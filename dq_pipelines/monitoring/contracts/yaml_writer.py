"""Formats the content of a table as YAML text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from dq_pipelines.config.scalars import resolve
from dq_pipelines.monitoring.contracts.part import Note

_PLAIN = re.compile(r"[A-Za-z_]([\w ./@%-]|:(?=\w))*")
_WIDTH = 120


class Template(str):
    """A text in which `${NAME}` is a variable. In a plain `str`, `${` is escaped."""

    __slots__ = ()


def yaml_text(head: Sequence[str], notes: Sequence[Note], content: Mapping[str, Any]) -> str:
    """Returns the document: comments, then the content, with a line for each rule and column where it fits."""
    comments = [f"# {line}".rstrip() for line in head]
    if notes:
        comments += ["#", "# Not converted:", *(f"#   {line}" for line in _note_lines(notes))]
    return "\n".join([*comments, *_block(content, 0)]) + "\n"


def _note_lines(notes: Sequence[Note]) -> Iterator[str]:
    """Yields a line for each note, in order; notes of the same key and reason share one."""
    lines: dict[tuple[str, str], list[int]] = {}
    for note in sorted(notes, key=lambda note: note.line):
        lines.setdefault((note.what, note.why), []).append(note.line)
    for (what, why), places in lines.items():
        word = "line" if len(places) == 1 else "lines"
        text = f"{word} {', '.join(map(str, dict.fromkeys(places)))}, {what}: {why}"
        yield " ".join(text.split())


def _block(content: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value in content.items():
        if _is_empty(value):
            continue
        inline = f"{indent}{scalar(key)}: {flow(value)}"
        opened = key in ("silver", "columns", "rules")
        if not opened and (len(inline) <= _WIDTH or not isinstance(value, Mapping)):
            yield inline
        elif isinstance(value, Mapping):
            yield f"{indent}{scalar(key)}:"
            yield from _block(value, depth + 1)
        else:
            yield f"{indent}{scalar(key)}:"
            for item in value:
                yield from _item(item, depth + 1)


def _is_empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_empty, value.values()))
    return value in (None, [], ())


def _item(item: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    if len(inline := f"{indent}- {flow(item)}") <= _WIDTH:
        yield inline
        return
    for index, (key, value) in enumerate(item.items()):
        yield f"{indent}{'- ' if index == 0 else '  '}{scalar(key)}: {flow(value)}"


def flow(value: Any) -> str:
    """Formats a value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """Formats a value so that our YAML reads it back: escapes `${`, and quotes what could be read as something else."""
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value == value.strip() and resolve(value) == value
        text = value if plain else json.dumps(value, ensure_ascii=not value.isprintable())
        return text if isinstance(value, Template) else text.replace("${", "$${")
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return value.isoformat() if isinstance(value, date) else str(value)
