"""`dq user`: adds, disables and lists the users of `dq serve`, and sets their passwords and roles."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dq_pipelines.security.roles import Grant
    from dq_pipelines.security.users import Users

app = typer.Typer()
verbs = typer.Typer(no_args_is_help=True)
app.add_typer(verbs, name="user", help="Manage the users of dq serve, their passwords and roles.")


@app.callback()
def _group() -> None:
    """The group is the only verb of this module."""


Name = Annotated[str, typer.Argument(help="The user's name.")]
Role = Annotated[str, typer.Option("--role", help="viewer, steward, operator or admin.")]
Scope = Annotated[
    str, typer.Option("--scope", help="Only for these tables: domain:retail, or team:sales as in `owners` of YAML.")
]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@verbs.command()
def add(name: Name, role: Role = "viewer", scope: Scope = "", password_stdin: Stdin = False) -> None:
    """Add a user; asks for a password."""
    from dq_pipelines.security.roles import Grant, role_named, scope_named

    grant = Grant(role_named(role), scope_named(scope))
    _users().add(name, _password(from_stdin=password_stdin), [grant])
    record_event("user.add", name, grant=str(grant))
    print(f"{name} may log in as {grant}")
    warn_of_unknown_scopes([grant])


@verbs.command()
def password(name: Name, password_stdin: Stdin = False) -> None:
    """Set a new password, and end the user's sessions."""
    users = _users()
    users.named(name)
    users.set_password(name, _password(from_stdin=password_stdin))
    record_event("user.password", name)
    print(f"{name} has a new password")


@verbs.command()
def disable(name: Name) -> None:
    """Disable a user, with all sessions and keys of the user."""
    _users().disable(name)
    record_event("user.disable", name)
    print(f"{name} is disabled")


@verbs.command()
def enable(name: Name) -> None:
    """Enable a disabled user, or one who is locked out after wrong passwords."""
    _users().disable(name, disabled=False)
    record_event("user.enable", name)
    print(f"{name} is enabled")


@verbs.command("totp-reset")
def totp_reset(name: Name) -> None:
    """Remove a user's second factor (a lost phone, say), and end the user's sessions."""
    from dq_pipelines.security.second_factor import SecondFactor

    users = _users()
    had = SecondFactor(users).reset(name)
    users.end_logins(name)
    record_event("user.totp-reset", name)
    print(f"{name} has no second factor any more" if had else f"{name} had no second factor")


@verbs.command()
def role(
    name: Name, grants: Annotated[list[str], typer.Argument(help="Such as viewer, or operator@domain:retail.")]
) -> None:
    """Replace a user's roles by these."""
    from dq_pipelines.security.roles import grant_named

    given = [grant_named(text) for text in grants]
    _users().grant(name, given)
    roles = ", ".join(map(str, given))
    record_event("user.role", name, grants=roles)
    print(f"{name} is {roles}")
    warn_of_unknown_scopes(given)


@verbs.command(name="list")
def every() -> None:
    """List the users with their roles and state."""
    from dq_pipelines.security.second_factor import SecondFactor

    users = _users()
    with_factor = SecondFactor(users).names()
    for user in users.all():
        state = "disabled" if user.disabled else f"by {user.subject.partition(' ')[0]}" if user.subject else ""
        state = state or ("with a second factor" if user.name in with_factor else "")
        print(f"{user.name:<24} {', '.join(sorted(map(str, user.grants))) or 'nothing':<40} {state}".rstrip())


def warn_of_unknown_scopes(grants: Sequence[Grant]) -> None:
    """Warn on stderr of scopes that match no table of the project; silent if the project cannot be loaded."""
    from dq_pipelines.config.settings import Settings
    from dq_pipelines.errors import ConfigError, nearest
    from dq_pipelines.project import load_sound_tables

    scopes = list(dict.fromkeys(grant.scope for grant in grants if grant.scope))
    if not scopes:
        return
    try:
        project = load_sound_tables(Settings.from_environment().config)
    except ConfigError:
        return
    tables = [(table.domain, table.model.owners) for table in project]
    tables += [(table.domain, table.owners) for table in project.left_out]
    known = {name for domain, owners in tables for name in (f"domain:{domain}", *owners)}
    for scope in (scope for scope in scopes if scope not in known):
        print(f"no table of the project is in {scope}{nearest(scope, sorted(known))}", file=sys.stderr)


def record_event(what: str, on: str, **more: str) -> None:
    """Write an event of the command line to the audit log, with the person's login name, and export it."""
    import getpass

    from dq_pipelines.security.audit import AuditLog, Event
    from dq_pipelines.security.audit_export import Export
    from dq_pipelines.security.moving import open_state
    from dq_pipelines.security.state import State

    log = AuditLog(open_state(State.from_environment()))
    log.add(Event(getpass.getuser(), what, on, "cli", more=more))
    for failure in Export.from_environment(log).push():
        print(failure, file=sys.stderr)


def _users() -> Users:
    from dq_pipelines.security.moving import open_state
    from dq_pipelines.security.state import State
    from dq_pipelines.security.users import Users

    return Users(open_state(State.from_environment()).url)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
