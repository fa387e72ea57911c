"""The sample project, damaged in every way that hands and editors damage files: sentences, never a traceback."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.project import load_project

_JUNK = (
    "{", "}", "[", "]", ":", "- ", "\n", "\t", "  ", "&a ", "*a", "!!str ", "!x ", "${", "${X}", "$${", "~", "null", "true", "0123",
    "1e3", "-1", "'", '"', "|", ">", "\x00", "\x7f", "é", "\U0001f600", "\u2028", "<<: ", "? ", "#", "%", "@", "`", "9" * 30, ".nan",
    ".inf", "2026-13-45", "select", "(" * 400, "sql: ", "gold:", "source:", "kwargs: ", "type", "silver/", "project",
)  # fmt: skip
_VALUES = (
    "[]", "{}", "{a: 1}", "[1, [2]]", "5", "-0.5", "''", "'x'", "true", "null", "2026-01-01", "'((((((((('", "'select 1; select 2'",
    "silver/x", "{type: 1}", "[{}]", "[null]", "'a.b:c'", "1e999", "'\\x00'", "\"\\0\"",
)  # fmt: skip
_WORD = re.compile(r"[\w.]+")
_VALUE = re.compile(r": ?[^\n,}]+")


def damaged(text: str, chance: random.Random) -> str:
    """`text` with one small thing wrong."""
    lines = text.split("\n")
    at, line = chance.randrange(len(text)), chance.randrange(len(lines))
    words, values = list(_WORD.finditer(text)), list(_VALUE.finditer(text))
    match chance.randrange(9):
        case 0:
            return text[:at] + text[at + chance.randrange(1, 6) :]
        case 1:
            return text[:at] + chance.choice(_JUNK) + text[at:]
        case 2:
            return "\n".join(lines[:line] + lines[line + 1 :])
        case 3:
            lines.insert(chance.randrange(len(lines)), lines[line])
            return "\n".join(lines)
        case 4:
            lines[line] = " " * chance.randrange(5) + lines[line].lstrip() * chance.randrange(2)
            return "\n".join(lines)
        case 5 if words:
            here, there = chance.choice(words), chance.choice(words)
            return text[: here.start()] + there.group() + text[here.end() :]
        case 6 if words:
            here = chance.choice(words)
            return text[: here.start()] + chance.choice(_JUNK) + text[here.end() :]
        case 7 if values:
            here = chance.choice(values)
            return text[: here.start()] + ": " + chance.choice(_VALUES) + text[here.end() :]
        case _:
            return text[:at]


def _sentences(root: Path, name: str, text: str) -> list[str]:
    """What is wrong with the project when its file `name` reads `text`."""
    sound = (root / name).read_bytes()
    (root / name).write_text(text, encoding="utf-8")
    try:
        load_project(root)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    finally:
        (root / name).write_bytes(sound)
    return []


@pytest.mark.parametrize("batch", range(8))
def test_a_damaged_file_ends_in_sentences(batch: int, checkout: Path, tmp_path: Path) -> None:
    root = shutil.copytree(checkout / "assets_config", tmp_path / "assets_config")
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.yaml"))
    assert load_project(root).tables
    noticed = 0
    for seed in range(batch * 50, batch * 50 + 50):
        chance = random.Random(seed)  # noqa: S311 - the same damage each time
        name = chance.choice(names)
        text = (root / name).read_text(encoding="utf-8")
        for _ in range(chance.randrange(1, 4)):
            text = damaged(text, chance) or "x"
        found = _sentences(root, name, text)
        noticed += bool(found)
        for sentence in found:
            assert sentence.startswith(f"{root}/"), sentence
            assert re.search(r"Traceback|<class|pydantic|Input should|Error\b", sentence) is None, sentence
    assert noticed > 25
