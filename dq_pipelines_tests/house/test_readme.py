"""The README's commands, run as they stand, top to bottom in one shell, in a copy of the checkout.

A line of a ```console block that starts with `$ ` is a command; the block's other lines are what it may print, and
are not compared. A ```bash block is commands from its first line to its last. What cannot run here has its reason in the line
above the block: `<!-- not run: serves until it is stopped -->`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_FENCE = re.compile(r"^```(\w*)$")
_NOT_RUN = re.compile(r"^<!-- not run: (?P<reason>.+) -->$")


@dataclass(frozen=True)
class Block:
    """One fenced block of shell commands."""

    #: 1-based line of its opening fence
    line: int
    #: (1-based line, command), in order
    commands: tuple[tuple[int, str], ...]
    #: why it is not run, or ""
    reason: str


def blocks(text: str) -> list[Block]:
    """The console and bash blocks of a Markdown text."""
    found: list[Block] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence is None:
            number += 1
            continue
        opened = number
        while lines[number + 1] != "```":
            number += 1
        if fence[1] in {"console", "bash", "sh"}:
            body = [(opened + 2 + at, line) for at, line in enumerate(lines[opened + 1 : number + 1])]
            excuse = _NOT_RUN.match(lines[opened - 1]) if opened else None
            commands = _prompted(body) if fence[1] == "console" else tuple(body)
            found.append(Block(opened + 1, commands, excuse["reason"] if excuse else ""))
        number += 2
    return found


def _prompted(body: Sequence[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """What follows a `$ `, with the lines that a backslash or a `> ` prompt continues."""
    commands: list[tuple[int, str]] = []
    continued = False
    for number, line in body:
        if line.startswith("$ "):
            commands.append((number, line.removeprefix("$ ")))
        elif continued or (commands and line.startswith("> ")):
            first, command = commands[-1]
            commands[-1] = (first, f"{command}\n{line.removeprefix('> ')}")
        continued = bool(commands) and commands[-1][1].endswith("\\")
    return tuple(commands)


def script(found: Sequence[Block]) -> str:
    """One bash script of every command that is to be run, each announced by its place."""
    parts = ["set -eo pipefail"]
    for block in found:
        for number, command in () if block.reason else block.commands:
            parts += [f"echo README.md:{number}: {shlex.quote(command)} >&2", command]
    return "\n".join(parts) + "\n"


def test_blocks_are_read_as_the_convention_says() -> None:
    text = textwrap.dedent(
        r"""
        ```console
        $ one \
            --two
        printed
        $ three
        ```
        <!-- not run: no server here -->
        ```bash
        four
        ```
        ```yaml
        $ five
        ```
        """
    )
    assert blocks(text) == [
        Block(2, ((3, "one \\\n    --two"), (6, "three")), ""),
        Block(9, ((10, "four"),), "no server here"),
    ]


@pytest.mark.slow
def test_commands_of_the_readme_run_as_they_stand(copy: Path, tmp_path: Path) -> None:
    found = blocks((copy / "README.md").read_text(encoding="utf-8"))
    assert any(command == "make run" for block in found if not block.reason for _, command in block.commands)
    home = tmp_path / "home"
    home.mkdir()
    ran = subprocess.run(
        ["bash", "-c", script(found)],
        cwd=copy,
        # A bare environment; PYTHONPATH puts the copy before the checkout that is installed in the environment.
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "PYTHONPATH": str(copy)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:]
