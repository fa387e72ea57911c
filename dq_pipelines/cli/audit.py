"""`dq audit`: who did what, and whether the log is what was written."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

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
    since: Annotated[datetime | None, typer.Option("--since", help="Only from then on (UTC).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each, to keep elsewhere.")] = False,
) -> None:
    """Say who did what, on what, from where, and how it ended."""
    for number, event in _log().events(since and since.replace(tzinfo=since.tzinfo or UTC)):
        if as_json:
            print(json.dumps(asdict(event) | {"number": number, "at": event.at.isoformat()}, ensure_ascii=False))
        else:
            more = " ".join(f"{name}={value}" for name, value in event.more.items() if value)
            where = f"{event.at:%Y-%m-%d %H:%M:%S}  {event.who or '?':<16} {event.what:<16} {event.result:<8}"
            print(f"{number:>6}  {where} {event.on} {event.source} {more}".rstrip())


@verbs.command()
def verify() -> None:
    """Look for lines that were changed, removed or put in; exit 1 where there are any."""
    log = _log()
    found = log.verify()
    for breach in found:
        print(breach.said, file=sys.stderr)
    if found:
        raise typer.Exit(1)
    print(f"{sum(1 for _ in log.events()):,} lines, as they were written")


def _log() -> AuditLog:
    from dq_pipelines.security.audit import AuditLog
    from dq_pipelines.security.state import State

    return AuditLog(State.from_environment().opened())
