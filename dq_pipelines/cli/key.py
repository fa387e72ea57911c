"""`dq key`: adds, lists and revokes API keys of `dq serve`, and rotates the key that signs bearer tokens."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.cli.user import record_event, warn_of_unknown_scopes

if TYPE_CHECKING:
    from dq_pipelines.security.keys import Keys
    from dq_pipelines.security.roles import Grant

app = typer.Typer()
verbs = typer.Typer(no_args_is_help=True)
app.add_typer(verbs, name="key", help="Add, list and revoke API keys for programs; rotate the key that signs tokens.")


@app.callback()
def _group() -> None:
    """The group is the only verb of this module."""


@verbs.command()
def add(
    user: Annotated[str, typer.Argument(help="The user the key acts for.")],
    note: Annotated[str, typer.Option("--note", help="What the key is for.")] = "",
    role: Annotated[
        str | None, typer.Option("--role", help="At most this role; by default all that the user may do.")
    ] = None,
    scope: Annotated[str, typer.Option("--scope", help="With --role: domain:retail or team:sales.")] = "",
    days: Annotated[
        int | None,
        typer.Option("--days", help="Days until it expires; 90 by default, or DQ_KEY_DAYS.", min=1, max=36_500),
    ] = None,
    never: Annotated[bool, typer.Option("--never", help="It does not expire; it lasts until it is revoked.")] = False,
) -> None:
    """Create a key and print it, once: send it as `X-API-Key`, or as `Authorization: Bearer`.

    A change of the user's password revokes it too.
    """
    from dq_pipelines.errors import ConfigError, Problem
    from dq_pipelines.security.keys import lasts_by_default
    from dq_pipelines.security.roles import Grant, role_named, scope_named

    grant = Grant(role_named(role), scope_named(scope)) if role else None
    if never and days:
        raise ConfigError([Problem("", 0, "dq key add: wanted --days or --never, got both")])
    _warn_of_lesser_grants(user, grant)
    lasts = None if never else timedelta(days=days) if days else lasts_by_default()
    text = _keys().add(user, note, grant, lasts)
    record_event("key.add", text.split("_")[1], user=user, note=note, days=str(lasts.days) if lasts else "never ends")
    print(text)


@verbs.command()
def revoke(number: Annotated[str, typer.Argument(help="The key's id, as in dq key list.")]) -> None:
    """Revoke a key."""
    _keys().revoke(number)
    record_event("key.revoke", number)
    print(f"{number} is revoked")


@verbs.command(name="list")
def every() -> None:
    """List the keys: id, user, grant, expiry and note. The keys themselves cannot be read back."""
    for key in _keys().all():
        ends = f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "never ends"
        state = ends if key.is_in_use else "revoked" if key.revoked_at else "expired"
        print(f"{key.id}  {key.user:<20} {key.grant or 'as the user'!s:<24} {state:<18} {key.note}".rstrip())


@verbs.command()
def rotate(
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Refuse all tokens signed before: use it when the key may have leaked.")
    ] = False,
) -> None:
    """Sign bearer tokens with a new key. Tokens signed with the previous key stay valid until they expire."""
    from dq_pipelines.security.moving import open_state
    from dq_pipelines.security.signing import SigningKeys
    from dq_pipelines.security.state import State
    from dq_pipelines.security.users import Users

    state = open_state(State.from_environment())
    key = SigningKeys.of(Users(state.url), state).rotate(at_once=at_once)
    record_event("key.rotate", key.id, at_once=str(at_once).lower())
    print(f"new tokens are signed with {key.id}")


def _warn_of_lesser_grants(name: str, grant: Grant | None) -> None:
    """Warn on stderr when the user has less than the key asks for. Raises ConfigError when the key would grant nothing."""
    from dq_pipelines.errors import ConfigError, Problem
    from dq_pipelines.security.keys import within

    if grant is None:
        return
    user = _keys().users.named(name)
    given, own = within(user, grant).grants, ", ".join(sorted(map(str, user.grants))) or "nothing"
    if not given:
        problem = f"dq key add: wanted a role and scope that {name} has at least in part, got {grant}: {name} is {own}"
        raise ConfigError([Problem("", 0, problem)])
    warn_of_unknown_scopes([grant])
    if grant not in given:
        granted = ", ".join(sorted(map(str, given)))
        print(f"{name} is {own}: the key asks for {grant}, but grants only {granted}", file=sys.stderr)


def _keys() -> Keys:
    from dq_pipelines.security.keys import Keys
    from dq_pipelines.security.moving import open_state
    from dq_pipelines.security.state import State
    from dq_pipelines.security.users import Users

    return Keys(Users(open_state(State.from_environment()).url))
