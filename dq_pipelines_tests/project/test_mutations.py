"""The sample project, damaged in every way that hands, editors and enemies damage files: sentences, never a traceback.

`make test` takes 40 of each kind of damage, `make torture` 1,000, each from a seed of its own.
"""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.project import load_project

pytestmark = pytest.mark.slow

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
_KEY = re.compile(r"(^|[\n{,-] *)(\w+)(?=:)")
_HUGE = (
    "9" * 30, "9" * 5000, "-" + "9" * 400, "1e308", "1e309", "-1e999999", "1" + "0" * 400 + ".5", "0x" + "f" * 500, "0o" + "7" * 500,
    "99999-01-01", "0000-00-00", "9999-12-31T23:59:59.999999999", "1_000", "+.inf", "-.Inf", ".NaN", "1e-400", "999999d", "4294967296",
)  # fmt: skip
_UNICODE = (
    "\ufeff", "\u200b", "\u202e", "\u0301" * 50, "\u2028", "\x85", "\x00", "\x1b[31m", "\U0001f468\u200d\U0001f469", "\ud800", "\udfff",
    "\uffff", "\U0010ffff", "\u0430", "\xa0", "\u3000", "\uff1a", "İ", "ß", "\r", "\x7f", "\u061c",
)  # fmt: skip


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


def bytes_changed(text: str, chance: random.Random) -> bytes:
    """A few bytes are others, or gone, wherever they stand in a character."""
    data = bytearray(text.encode())
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(data)


def tokens(text: str, chance: random.Random) -> str:
    for _ in range(chance.randrange(1, 4)):
        text = damaged(text, chance) or "x"
    return text


def keys(text: str, chance: random.Random) -> str:
    """A key is misspelt, empty, a number, a list, null, or another one's name."""
    found = list(_KEY.finditer(text))
    here = chance.choice(found)
    word = here.group(2)
    other = chance.choice(
        [word[:-1], word + "s", word.upper(), "''", "5", "1.5", "[a, b]", "{a: 1}", "null", "true", "? ", "<<", "2026-01-01",
         chance.choice(found).group(2), word * 200]
    )  # fmt: skip
    return text[: here.start(2)] + other + text[here.end(2) :]


def nesting(text: str, chance: random.Random) -> str:
    """A value lies within lists and mappings, few or thousands of them."""
    here = chance.choice(list(_VALUE.finditer(text)))
    value, depth = here.group()[1:].strip(), chance.choice([1, 2, 5, 50, 200, 3_000])
    opened, closed = chance.choice([("[", "]"), ("{a: ", "}"), ("[{b: ", "}]"), ("[[", "]")])
    return f"{text[: here.start()]}: {opened * depth}{value}{closed * depth}{text[here.end() :]}"


def types(text: str, chance: random.Random) -> str:
    here = chance.choice(list(_VALUE.finditer(text)))
    return text[: here.start()] + ": " + chance.choice([*_VALUES, *_HUGE]) + text[here.end() :]


def anchors(text: str, chance: random.Random) -> str:
    """Anchors, aliases to them, to nothing and to themselves, merges, and a bomb of them."""
    first, second = (chance.choice(list(_VALUE.finditer(text))) for _ in range(2))
    match chance.randrange(5):
        case 0:
            low, high = sorted([first, second], key=lambda one: one.start())
            text = f"{text[: high.start()]}: *a{text[high.end() :]}"
            return f"{text[: low.start()]}: &a {text[low.start() + 1 :].lstrip()}"
        case 1:
            return f"{text[: first.start()]}: *nowhere{text[first.end() :]}"
        case 2:
            return f"{text[: first.start()]}: &a [*a, *a]{text[first.end() :]}"
        case 3:
            lines = [f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]" for below, name in pairwise("abcdefghij")]
            return "\n".join(["a: &a [x, x, x]", *lines, text])
        case _:
            return f"{text[: first.start()]}: {{<<: [&m {{a: 1}}, *m], <<: {{type: csv}}}}{text[first.end() :]}"


def unicode(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + "".join(chance.choices(_UNICODE, k=chance.randrange(1, 4))) + text[at:]


def numbers(text: str, chance: random.Random) -> str:
    here = chance.choice(list(re.finditer(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", text)) or list(_VALUE.finditer(text)))
    lead = ": " if here.group().startswith(":") else ""
    return text[: here.start()] + lead + chance.choice(_HUGE) + text[here.end() :]


def duplicates(text: str, chance: random.Random) -> str:
    """A line, or a block of lines, stands there twice; or a key twice in one mapping on a line."""
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    until = min(len(lines), at + chance.choice([1, 1, 2, 5, len(lines)]))
    there = chance.randrange(len(lines) + 1)
    if chance.random() < 0.3 and (here := list(re.finditer(r"\{(\w+): ([^,{}]+)", text))):
        one = chance.choice(here)
        return f"{text[: one.start() + 1]}{one.group(1)}: {one.group(2)}, {text[one.start() + 1 :]}"
    return "\n".join([*lines[:there], *lines[at:until], *lines[there:]])


def spliced(text: str, chance: random.Random) -> str:
    """Two pieces of the file in the wrong order, over and over, or indented anew."""
    lines = text.split("\n")
    at, until = sorted(chance.randrange(len(lines) + 1) for _ in range(2))
    match chance.randrange(3):
        case 0:
            return "\n".join(lines[until:] + lines[at:until] + lines[:at])
        case 1:
            return "\n".join(lines[:at] + lines[at:until] * chance.choice([2, 50]) + lines[until:])
        case _:
            return "\n".join(
                lines[:at] + [chance.choice([" ", "  ", "\t", "- "]) + one for one in lines[at:until]] + lines[until:]
            )


Damage = Callable[[str, random.Random], str | bytes]
KINDS: tuple[Damage, ...] = (
    bytes_changed, tokens, keys, nesting, types, anchors, unicode, numbers, duplicates, spliced,
)  # fmt: skip

#: Seconds of this process that one file may take to be loaded.
PATIENCE = 2.0
#: What no sentence for people holds.
_PYTHON = re.compile(r"Traceback|<class|pydantic|Input should|[a-z]Error\b|\bobject at 0x")


def _sentences(root: Path, name: str, content: bytes) -> list[str]:
    """What is wrong with the project when its file `name` reads `content`."""
    sound = (root / name).read_bytes()
    (root / name).write_bytes(content)
    try:
        load_project(root)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    finally:
        (root / name).write_bytes(sound)
    return []


def _answer(root: Path, names: list[str], kind: Damage, seed: int) -> bool:
    """Whether one damaged file was noticed; whatever is said of it is a sentence with its place, and soon there."""
    chance = random.Random(f"{kind.__name__} {seed}")  # noqa: S311 - the same damage each time
    name = chance.choice(names)
    changed = kind((root / name).read_text(encoding="utf-8"), chance)
    content = changed if isinstance(changed, bytes) else changed.encode("utf-8", "surrogatepass")
    begun = time.process_time()
    try:
        found = _sentences(root, name, content)
    except Exception as error:
        raise AssertionError(f"{kind.__name__} {seed} of {name} ends in {error!r}:\n{content[:3000]!r}") from error
    assert time.process_time() - begun < PATIENCE, f"{kind.__name__} {seed} of {name} takes too long"
    for sentence in found:
        assert sentence.startswith(f"{root}/"), sentence
        assert _PYTHON.search(sentence) is None, sentence
        assert len(sentence) < 3_000, sentence
    return bool(found)


def _project(checkout: Path, place: Path) -> tuple[Path, list[str]]:
    root = shutil.copytree(checkout / "assets_config", place / "assets_config")
    assert load_project(root).tables
    return root, sorted(str(path.relative_to(root)) for path in root.rglob("*.yaml"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_damaged_file_ends_in_sentences(kind: Damage, checkout: Path, tmp_path: Path) -> None:
    root, names = _project(checkout, tmp_path)
    noticed = sum(_answer(root, names, kind, seed) for seed in range(40))
    assert noticed > 10, "the damage does none"


@pytest.mark.torture
@pytest.mark.parametrize("batch", range(20))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_thousand_damaged_files_of_each_kind(kind: Damage, batch: int, checkout: Path, tmp_path: Path) -> None:
    root, names = _project(checkout, tmp_path)
    for seed in range(1_000 + batch * 50, 1_050 + batch * 50):
        _answer(root, names, kind, seed)
