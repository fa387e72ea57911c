"""`dq key`: API keys, for programs that ask `dq serve` in a user's name, and the keys that sign bearer tokens."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.cli.user import noted, warn_of_unknown_scopes

if TYPE_CHECKING:
    from dq_pipelines.security.keys import Keys
    from dq_pipelines.security.roles import Grant

app = typer.Typer()
verbs = typer.Typer(no_args_is_help=True)
app.add_typer(verbs, name="key", help="Make and revoke API keys, for programs; change the key that signs tokens.")


@app.callback()
def _group() -> None:
    """The group is the only verb of this module."""


@verbs.command()
def add(
    user: Annotated[str, typer.Argument(help="In whose name.")],
    note: Annotated[str, typer.Option("--note", help="What it is for.")] = "",
    role: Annotated[
        str | None, typer.Option("--role", help="No more than this role; else all that the user may.")
    ] = None,
    scope: Annotated[str, typer.Option("--scope", help="With --role: domain:retail or team:sales.")] = "",
    days: Annotated[
        int | None, typer.Option("--days", help="How long it lasts; else 90 days, or DQ_KEY_DAYS.", min=1, max=36_500)
    ] = None,
    never: Annotated[bool, typer.Option("--never", help="Let it last until it is revoked.")] = False,
) -> None:
    """Make a key and say it, once: send it as `X-API-Key`, or as `Authorization: Bearer`.

    It ends with the user's password, too.
    """
    from dq_pipelines.errors import ConfigError, Problem
    from dq_pipelines.security.keys import lasts_by_default
    from dq_pipelines.security.roles import Grant, role_named, scope_named

    grant = Grant(role_named(role), scope_named(scope)) if role else None
    if never and days:
        raise ConfigError([Problem("", 0, "dq key add: wanted --days or --never, got both")])
    _say_what_it_gives(user, grant)
    lasts = None if never else timedelta(days=days) if days else lasts_by_default()
    text = _keys().add(user, note, grant, lasts)
    noted("key.add", text.split("_")[1], user=user, note=note, days=str(lasts.days) if lasts else "never ends")
    print(text)


@verbs.command()
def revoke(number: Annotated[str, typer.Argument(help="The key's id, as dq key list says it.")]) -> None:
    """Let nobody in by a key any more."""
    _keys().revoke(number)
    noted("key.revoke", number)
    print(f"{number} is revoked")


@verbs.command(name="list")
def every() -> None:
    """Say which keys there are; nobody can read the keys themselves."""
    for key in _keys().all():
        ends = f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "never ends"
        state = ends if key.is_in_use else "revoked" if key.revoked_at else "expired"
        print(f"{key.id}  {key.user:<20} {key.grant or 'as the user'!s:<24} {state:<18} {key.note}".rstrip())


@verbs.command()
def rotate(
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Take nothing that was signed before: where a key may be known to others.")
    ] = False,
) -> None:
    """Sign bearer tokens by a new key; what the one before has signed is good until it runs out."""
    from dq_pipelines.security.moving import open_state
    from dq_pipelines.security.signing import SigningKeys
    from dq_pipelines.security.state import State
    from dq_pipelines.security.users import Users

    state = open_state(State.from_environment())
    key = SigningKeys.of(Users(state.url), state).rotate(at_once=at_once)
    noted("key.rotate", key.id, at_once=str(at_once).lower())
    print(f"tokens are signed by {key.id} from now on")


def _say_what_it_gives(name: str, grant: Grant | None) -> None:
    """Say on stderr where the user has less than the key asks for; raises ConfigError where the key would give nothing."""
    from dq_pipelines.errors import ConfigError, Problem
    from dq_pipelines.security.keys import within

    if grant is None:
        return
    user = _keys().users.named(name)
    given, own = within(user, grant).grants, ", ".join(sorted(map(str, user.grants))) or "nothing"
    if not given:
        problem = f"dq key add: wanted a role and scope of which {name} has a part, got {grant}: {name} is {own}"
        raise ConfigError([Problem("", 0, problem)])
    warn_of_unknown_scopes([grant])
    if grant not in given:
        less = ", ".join(sorted(map(str, given)))
        print(f"{name} is {own}: the key is for {grant}, and gives no more than {less}", file=sys.stderr)


def _keys() -> Keys:
    from dq_pipelines.security.keys import Keys
    from dq_pipelines.security.moving import open_state
    from dq_pipelines.security.state import State
    from dq_pipelines.security.users import Users

    return Keys(Users(open_state(State.from_environment()).url))
