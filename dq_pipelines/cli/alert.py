"""`dq alert`: lists and closes open alerts, and sends a test message to the channels."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.cli.project_tables import sound_project
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, DqError, Problem, nearest

if TYPE_CHECKING:
    from dq_pipelines.history.alerts.alert import Alert
    from dq_pipelines.monitoring.alerts.settings import Alerts, Url

app = typer.Typer()
verbs = typer.Typer(no_args_is_help=True)
app.add_typer(verbs, name="alert", help="List and close open alerts, and test the channels.")


@app.callback()
def _group() -> None:
    """The group is the only verb of this module."""


@verbs.command("test")
def send_test(
    to: Annotated[
        list[str] | None,
        typer.Option(help="Only this channel of alerts.to; may be given several times.", show_default=False),
    ] = None,
) -> None:
    """Send a test message to each channel. Exit 1 when a channel does not accept it."""
    from dq_pipelines.monitoring.alerts.sending import Channel, message_of_test

    settings = sound_project().settings
    post = message_of_test(settings.name)
    failed = False
    for name, url in _channels(settings.alerts, to).items():
        try:
            Channel(name, url).send(post)
        except DqError as error:
            failed = True
            print(error, file=sys.stderr)
        else:
            print(f"{name}: sent")
    if failed:
        raise typer.Exit(1)


def _channels(alerts: Alerts | None, to: list[str] | None) -> dict[str, Url]:
    """The channels of these names, or all. Raises ConfigError for an unknown name."""
    known = alerts.to if alerts is not None else {}
    if not known:
        raise ConfigError([Problem("", 0, "dq alert test: wanted channels in alerts.to of project.yaml, found none")])
    problems = [
        Problem("", 0, f"dq alert test --to: unknown channel '{name}'{nearest(name, known)}")
        for name in to or ()
        if name not in known
    ]
    if problems:
        raise ConfigError(problems)
    return {name: known[name] for name in to or known}


@verbs.command("list")
def list_alerts(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False) -> None:
    """Show the open alerts: since when, about what, and which channels received them."""
    from dq_pipelines.history.alerts.alert_book import AlertBook
    from dq_pipelines.history.store.verdicts import History

    history = History(Settings.from_environment().history_url)
    book = AlertBook(history)
    alerts = book.open() if history.is_begun else []
    channels = book.channels() if alerts else {}
    if as_json:
        rows = [asdict(alert) | {"told": channels.get(alert.number, [])} for alert in alerts]
        print(json.dumps(rows, indent=1, ensure_ascii=False, default=str))
    elif alerts:
        _print(alerts, channels)
    else:
        print("no alert is open")


@verbs.command("close")
def close_alerts(
    numbers: Annotated[
        list[int], typer.Argument(help="Alerts, by the numbers of `dq alert list`.", show_default=False)
    ],
) -> None:
    """Close alerts that need no repair. They are not repeated; a new failure opens a new alert."""
    from datetime import UTC, datetime

    from dq_pipelines.history.alerts.alert_book import AlertBook
    from dq_pipelines.history.store.verdicts import History

    history = History(Settings.from_environment().history_url)
    book = AlertBook(history)
    known = {alert.number: alert for alert in book.open()} if history.is_begun else {}
    if unknown := [number for number in numbers if number not in known]:
        raise ConfigError([Problem("", 0, f"dq alert close: no alert {number} is open") for number in unknown])
    chosen = [known[number] for number in dict.fromkeys(numbers)]
    book.dismiss(chosen, datetime.now(UTC))
    for alert in chosen:
        print(f"closed {alert.number}: {alert.about} {_what(alert)}")


def _what(alert: Alert) -> str:
    return alert.name or alert.event.replace("_", " ")


def _print(alerts: list[Alert], channels: dict[int, list[str]]) -> None:
    """Two or three lines per alert, which a terminal of 80 columns has room for."""
    width = max(len(str(alert.number)) for alert in alerts)
    for alert in alerts:
        part = f" [{alert.partition}]" if alert.partition is not None else ""
        notified = ", ".join(channels.get(alert.number, [])) or "no channel"
        print(f"{alert.number:>{width}}  {alert.severity:<8}  {alert.about}{part}  {_what(alert)}")
        print(f"{'':{width}}  {alert.said}")
        print(f"{'':{width}}  since {alert.opened_at:%Y-%m-%d %H:%M} UTC, sent to {notified}")
