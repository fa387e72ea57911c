"""The `dq` command: which verbs there are, and how an error ends. What a verb does is in a file of its own.

A verb's file is imported when it is asked for, and imports what is heavy inside its functions: `dq check`
must answer in under a second.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import typer
import typer.core

from dq_pipelines.errors import DqError, nearest

#: Verb -> the module that has it as `app`; in the order of `dq --help`.
_VERBS = {
    "check": "dq_pipelines.cli.check",
    "sample": "dq_pipelines.cli.sample",
    "validate": "dq_pipelines.cli.validate",
    "suggest": "dq_pipelines.cli.suggest",
    "report": "dq_pipelines.cli.report",
    "metrics": "dq_pipelines.cli.metrics",
    "serve": "dq_pipelines.cli.serve",
    "quarantine": "dq_pipelines.cli.quarantine",
    "retention": "dq_pipelines.cli.retention",
    "restore": "dq_pipelines.cli.restore",
    "purge": "dq_pipelines.cli.purge",
    "erase": "dq_pipelines.cli.erase",
    "alert": "dq_pipelines.cli.alert",
    "anomaly": "dq_pipelines.cli.anomaly",
    "upkeep": "dq_pipelines.cli.upkeep",
    "doctor": "dq_pipelines.cli.doctor",
    "backup": "dq_pipelines.cli.backup",
    "user": "dq_pipelines.cli.user",
    "key": "dq_pipelines.cli.key",
    "audit": "dq_pipelines.cli.audit",
    "schema": "dq_pipelines.cli.generated",
    "docs": "dq_pipelines.cli.generated",
}


class _Verbs(typer.core.TyperGroup):
    """The verbs by name, imported one at a time."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _VERBS:
            ctx.fail(f"unknown verb '{cmd_name}'{nearest(cmd_name, _VERBS)}")
        command = typer.main.get_command(importlib.import_module(_VERBS[cmd_name]).app)
        # A module with one verb gives that verb, one with several gives a group of them.
        return command.get_command(ctx, cmd_name) if isinstance(command, typer.core.TyperGroup) else command


app = typer.Typer(
    cls=_Verbs,
    help="Data quality inside Dagster: describe tables and rules in YAML; every row is published or quarantined.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        # By name: what the package offers to type checkers stands above this room.
        print(f"dq_pipelines {importlib.import_module('dq_pipelines').__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_say_version, is_eager=True, help="Say which version this is."
    ),
) -> None:
    """What stands before the verb."""


def main() -> None:
    """Run the command line. What dq_pipelines says on purpose goes to stderr, without a traceback, and exit is 2."""
    # As `python -m` and Dagster do: functions of the user's own that YAML names lie in the folder they work in.
    sys.path.append(str(Path.cwd()))
    try:
        app(prog_name="dq")
    except Exception as error:
        said = _in_a_sentence(error)
        if said is None:
            raise
        print(said, file=sys.stderr)
        raise SystemExit(2) from None


def _in_a_sentence(error: Exception) -> DqError | None:
    """What is said on purpose, or what damage of the lake explains; None for a bug of ours."""
    if isinstance(error, DqError) and ".parquet" not in str(error):
        return error
    from dq_pipelines.config.settings import Settings
    from dq_pipelines.pipeline.runtime.missing_files import in_a_sentence, tables_read
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.project import load_sound_tables

    try:
        project = load_sound_tables(Settings.from_environment().config)
        return in_a_sentence(
            error, Stores.from_environment().lake, [k for table in project for k in tables_read(table)]
        )
    except DqError:  # there is no project: then the error is of no table of it
        return error if isinstance(error, DqError) else None
