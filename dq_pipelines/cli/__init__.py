"""The `dq` command: finds a verb's module, runs it, and prints expected errors without a traceback.

A verb's module is imported only when the verb runs, and imports heavy libraries inside its functions: `dq check`
must answer in under a second.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import typer
import typer.core

from dq_pipelines.config.env_file import load_env_file
from dq_pipelines.errors import DqError, nearest

#: Group of `dq --help` -> its verbs.
_GROUPS = {
    "Project and rules": ("check", "sample", "validate", "suggest", "report", "metrics"),
    "Service": ("serve", "user", "key", "audit"),
    "Refused rows and alerts": ("quarantine", "alert", "anomaly"),
    "Data over time": ("retention", "restore", "purge", "erase", "backup", "upkeep", "doctor"),
    "Generated files": ("schema", "docs"),
}
#: Verb -> the module whose `app` runs it, where its name is another than the verb's.
_ELSEWHERE = {"schema": "generated", "docs": "generated"}
#: Verb -> the module whose `app` runs it; in the order of `dq --help`.
_VERBS = {verb: f"dq_pipelines.cli.{_ELSEWHERE.get(verb, verb)}" for verbs in _GROUPS.values() for verb in verbs}


class _LazyVerbs(typer.core.TyperGroup):
    """The verbs by name. Imports a verb's module when it is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _VERBS:
            ctx.fail(f"unknown verb '{cmd_name}'{nearest(cmd_name, _VERBS)}")
        command = typer.main.get_command(importlib.import_module(_VERBS[cmd_name]).app)
        # Typer makes a command of a module with one verb, and a group of a module with several.
        made: Any = command.get_command(ctx, cmd_name) if isinstance(command, typer.core.TyperGroup) else command
        made.rich_help_panel = next(group for group, verbs in _GROUPS.items() if cmd_name in verbs)
        return made


app = typer.Typer(
    cls=_LazyVerbs,
    help="Data quality inside Dagster: describe tables and rules in YAML; every row is published or quarantined.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        # Imported by name: the import contracts place the package's public names above `cli`.
        print(f"dq_pipelines {importlib.import_module('dq_pipelines').__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before the verb."""


def main() -> None:
    """Run the command line. Expected errors (`DqError`) go to stderr without a traceback, with exit code 2."""
    # As `python -m` and Dagster do: YAML names the user's own functions, which lie in the working directory.
    sys.path.append(str(Path.cwd()))
    try:
        load_env_file()
        app(prog_name="dq")
    except Exception as error:
        expected = _expected_error(error)
        if expected is None:
            raise
        print(expected, file=sys.stderr)
        raise SystemExit(2) from None


def _expected_error(error: Exception) -> DqError | None:
    """The error as a sentence: a DqError, or a damaged lake that explains it. None for a bug of ours."""
    if isinstance(error, DqError) and ".parquet" not in str(error):
        return error
    from dq_pipelines.config.settings import Settings
    from dq_pipelines.pipeline.runtime.missing_files import explain_error, tables_read
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.project import load_sound_tables

    try:
        project = load_sound_tables(Settings.from_environment().config)
        return explain_error(
            error, Stores.from_environment().lake, [k for table in project for k in tables_read(table)]
        )
    except DqError:  # no project can be loaded: then no table of it explains the error
        return error if isinstance(error, DqError) else None
