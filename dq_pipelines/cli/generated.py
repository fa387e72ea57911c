"""`dq schema` and `dq docs`: write the files that are generated from the code, and check whether they are stale."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import PublishError

app = typer.Typer()

_POINTER = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)

_Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when a file is stale.")]


@app.command()
def schema(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("docs/schema"),
    config: Annotated[
        Path | None, typer.Option(help="The project's folder; DQ_CONFIG, else assets_config.", show_default=False)
    ] = None,
    check: _Check = False,
) -> None:
    """Write the JSON Schema of the project's files, with which editors complete and check YAML."""
    from dq_pipelines.project.schema import schemas

    wanted = {out / name: json.dumps(found, indent=1, ensure_ascii=False) + "\n" for name, found in schemas().items()}
    folder = config or Path(Settings.from_environment().config)
    _finish([*_written(wanted, "dq schema", check=check), *_pointers(folder, out)])


@app.command()
def docs(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("docs"),
    check: _Check = False,
) -> None:
    """Write the references of rules, configuration, casts and REST from the code's docstrings, fields and examples."""
    from dq_pipelines.project.pages.reference import pages

    texts = {**pages(), **_pages_of_web()}
    _finish(list(_written({out / name: text for name, text in texts.items()}, "dq docs", check=check)))


def _pages_of_web() -> dict[str, str]:
    """The references of `web`, from a process of its own, since `cli` must not import `web`."""
    ran = subprocess.run([sys.executable, "-m", "dq_pipelines.web", "document"], check=True, stdout=subprocess.PIPE)
    pages: dict[str, str] = json.loads(ran.stdout)
    return pages


def _written(files: Mapping[Path, str], command: str, *, check: bool) -> Iterator[str]:
    """Write each file whose text differs, or with `check` yield a sentence for it."""
    for path, text in files.items():
        try:
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                continue
            if check:
                yield f"{path}: stale; run `{command}`"
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise PublishError(f"{path}: wanted to write the file, got {error.strerror}") from None
        print(f"wrote {path}")


def _pointers(config: Path, out: Path) -> Iterator[str]:
    """A sentence for each YAML file that does not point to its schema."""
    for path in sorted([*config.rglob("*.yaml"), *config.rglob("*.yml")]):
        name = "project.json" if path.parent == config else "table.json"
        wanted = Path(os.path.relpath(out / name, path.parent)).as_posix()
        found = _POINTER.search(path.read_text(encoding="utf-8", errors="replace"))
        if found is None or found[1] != wanted:
            got = f"'{found[1]}'" if found else "none"
            yield f"{path}:1: wanted the line `# yaml-language-server: $schema={wanted}`, got {got}"


def _finish(sentences: list[str]) -> None:
    for sentence in sentences:
        print(sentence)
    if sentences:
        raise typer.Exit(1)
