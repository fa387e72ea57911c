"""`dq audit`: who did what, and whether the log is what was written."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.cli.moments import Since
from dq_pipelines.config.counting import counted

if TYPE_CHECKING:
    from dq_pipelines.security.audit import AuditLog

app = typer.Typer()
verbs = typer.Typer(no_args_is_help=True)
app.add_typer(verbs, name="audit", help="See who did what, and whether the log is as it was written.")


@app.callback()
def _group() -> None:
    """The group is the only verb of this module."""


@verbs.command(name="list")
def every(
    since: Annotated[datetime | None, Since("Only from this day or moment on (UTC).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each, to keep elsewhere.")] = False,
) -> None:
    """Say who did what, on what, from where, and how it ended."""
    for number, event in _log().events(since):
        if as_json:
            print(json.dumps(asdict(event) | {"number": number, "at": event.at.isoformat()}, ensure_ascii=False))
        else:
            more = " ".join(f"{name}={value}" for name, value in event.more.items() if value)
            where = f"{event.at:%Y-%m-%d %H:%M:%S}  {event.who or '?':<16} {event.what:<16} {event.result:<8}"
            print(f"{number:>6}  {where} {event.on} {event.source} {more}".rstrip())


@verbs.command()
def verify() -> None:
    """Look for lines that were changed, removed or put in, in the log and beside its anchor; exit 1 where there are any."""
    from dq_pipelines.security.audit_verify import verify as breaches

    log = _log()
    found = breaches(log)
    for breach in found:
        print(breach.message, file=sys.stderr)
    if found:
        raise typer.Exit(1)
    lines = sum(1 for _ in log.events())
    print(f"{counted(lines, 'line')}, as {'it was' if lines == 1 else 'they were'} written")


@verbs.command(name="rotate-key")
def rotate_key() -> None:
    """Mark lines by a new key from now on; those before are verified by the key that marked them."""
    import getpass

    key = _log().rotate_key(getpass.getuser(), "cli")
    print(f"lines are marked by {key.id} from now on")


@verbs.command()
def export() -> None:
    """Tell the places of DQ_AUDIT_EXPORT what they were not told yet; exit 1 where one does not take it."""
    from dq_pipelines.errors import ConfigError, Problem
    from dq_pipelines.security.audit_export import Export

    told = Export.from_environment(_log())
    if not told.targets:
        raise ConfigError([Problem("", 0, "dq audit export: wanted DQ_AUDIT_EXPORT to name a place, found none")])
    failures = told.push()
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        raise typer.Exit(1)
    print(f"told all to {', '.join(map(str, told.targets))}")


def _log() -> AuditLog:
    from dq_pipelines.security.audit import AuditLog
    from dq_pipelines.security.moving import open_state
    from dq_pipelines.security.state import State

    return AuditLog(open_state(State.from_environment()))
