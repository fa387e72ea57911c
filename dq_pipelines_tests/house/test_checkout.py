"""What the checkout may hold, and what its commands and its changelog must say."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Put together from parts, so that this file does not name what it forbids.
_MACHINE_PATH = re.compile(rb"/(?:home|Users)/[a-z]|/root/|/work/(?:main|shared)|/opt/pypi|/tmp/" + rb"w/")
_ADDRESSES = ("py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js.org", "deb.deb" + "ian.org")
_REGISTRY = re.compile(
    b"|".join(re.escape(name).encode() for name in _ADDRESSES) + rb"|--(?:extra-)?index-" + rb"url[ =]"
)


def test_no_file_holds_a_path_of_one_machine(checkout: Path, tracked: Sequence[Path]) -> None:
    assert _places(_MACHINE_PATH, checkout, tracked) == []


def test_no_file_holds_the_address_of_a_registry(checkout: Path, tracked: Sequence[Path]) -> None:
    assert _places(_REGISTRY, checkout, tracked) == []


def test_no_lock_file_that_records_addresses(tracked: Sequence[Path]) -> None:
    assert [name for name in tracked if name.name in {"uv.lock", "poetry.lock", "Pipfile.lock"}] == []


def test_constraints_are_names_and_versions(checkout: Path) -> None:
    lines = (checkout / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[a-z0-9][a-z0-9._-]*==[0-9][0-9a-z.+!]*", line)] == []


def test_every_make_target_tells_what_it_does(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    told = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    # `dagster-home` is a part of others, not a command.
    assert set(re.findall(r"^\.PHONY: ([a-z-]+)$", makefile, re.MULTILINE)) - told == {"dagster-home"}
    shown = subprocess.run(
        ["make", "help"], cwd=checkout, check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
    ).stdout
    assert {line.split()[1] for line in shown.splitlines()} == told


def test_changelog_has_a_place_for_what_is_to_come(checkout: Path) -> None:
    assert "\n## Unreleased\n" in (checkout / "CHANGELOG.md").read_text(encoding="utf-8")


def _places(pattern: re.Pattern[bytes], checkout: Path, tracked: Sequence[Path]) -> list[str]:
    """`file:line` of every match."""
    return [
        f"{name}:{number}"
        for name in tracked
        if name != Path(__file__).relative_to(checkout)
        for number, line in enumerate((checkout / name).read_bytes().split(b"\n"), 1)
        if pattern.search(line)
    ]
