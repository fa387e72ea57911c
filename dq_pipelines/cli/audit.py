"""`dq audit`: lists, verifies and exports the audit log, and rotates the key that signs it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.cli.time_options import Since
from dq_pipelines.config.counting import counted

if TYPE_CHECKING:
    from dq_pipelines.security.audit import AuditLog

app = typer.Typer()
verbs = typer.Typer(no_args_is_help=True)
app.add_typer(verbs, name="audit", help="Show who did what, and verify that the log is unchanged.")


@app.callback()
def _group() -> None:
    """The group is the only verb of this module."""


@verbs.command(name="list")
def every(
    since: Annotated[datetime | None, Since("Only from this day or moment on (UTC).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON.")] = False,
) -> None:
    """List the events: who did what, to what, from where, and the outcome."""
    for number, event in _log().events(since):
        if as_json:
            print(json.dumps(asdict(event) | {"number": number, "at": event.at.isoformat()}, ensure_ascii=False))
        else:
            more = " ".join(f"{name}={value}" for name, value in event.more.items() if value)
            where = f"{event.at:%Y-%m-%d %H:%M:%S}  {event.who or '?':<16} {event.what:<16} {event.result:<8}"
            print(f"{number:>6}  {where} {event.on} {event.source} {more}".rstrip())


@verbs.command()
def verify() -> None:
    """Find lines that were changed, removed or inserted since they were written. Exit 1 when there are any."""
    from dq_pipelines.security.audit_verify import verify as breaches

    log = _log()
    if broken := breaches(log):
        for breach in broken:
            print(breach.message, file=sys.stderr)
        raise typer.Exit(1)
    lines = sum(1 for _ in log.events())
    print(f"{counted(lines, 'line')}, as {'it was' if lines == 1 else 'they were'} written")


@verbs.command(name="rotate-key")
def rotate_key() -> None:
    """Sign new lines with a new key. Older lines are still verified with the key that signed them."""
    import getpass

    key = _log().rotate_key(getpass.getuser(), "cli")
    print(f"new lines are signed with {key.id}")


@verbs.command()
def export() -> None:
    """Send the events that DQ_AUDIT_EXPORT's destinations lack. Exit 1 when a destination does not accept them."""
    from dq_pipelines.errors import ConfigError, Problem
    from dq_pipelines.security.audit_export import Export

    destinations = Export.from_environment(_log())
    if not destinations.targets:
        raise ConfigError([Problem("", 0, "dq audit export: wanted DQ_AUDIT_EXPORT to name a place, found none")])
    failures = destinations.push()
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        raise typer.Exit(1)
    print(f"exported all events to {', '.join(map(str, destinations.targets))}")


def _log() -> AuditLog:
    from dq_pipelines.security.audit import AuditLog
    from dq_pipelines.security.moving import open_state
    from dq_pipelines.security.state import State

    return AuditLog(open_state(State.from_environment()))
