"""Sends messages by Apprise. No error or log shows a channel's address."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from dq_pipelines.errors import ConfigError, Problem, SourceError, nearest
from dq_pipelines.monitoring.alerts.wording import FormattedMessage

if TYPE_CHECKING:
    from apprise import NotifyBase

#: Parts of an address shorter than this are not hidden.
_SECRET_LENGTH = 4


def message_of_test(project: str) -> FormattedMessage:
    """The message that shows whether a channel of this project works."""
    said = "This channel receives alerts when something fails, and when it has recovered."
    return FormattedMessage(f"{project}: a test", said, "info")


@dataclass(frozen=True)
class Channel:
    """A channel of `alerts.to`: its name and address."""

    name: str
    url: SecretStr

    def send(self, post: FormattedMessage) -> None:
        """Sends a message. Raises SourceError when the service refuses it, ConfigError for an invalid address."""
        import apprise

        with _captured_log() as messages:
            plugin = self._plugin()
            sender = apprise.Apprise()
            sender.add(plugin)
            kind = apprise.NotifyType(post.kind)
            # Plain text: messages of checks are neither Markdown nor HTML.
            sent = sender.notify(post.body, title=post.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
        if not sent:
            reason = "; ".join(messages) or "the service did not take it"
            raise SourceError(f"channel {self.name}: wanted to send a message, got: {self.hidden_in(reason)}")

    def _plugin(self) -> NotifyBase:
        import apprise
        from apprise.manager_plugins import NotificationManager

        url = self.url.get_secret_value()
        plugin: NotifyBase | None = apprise.Apprise.instantiate(url)
        if plugin is None:
            scheme, schemes = url.partition("://")[0].lower(), list(NotificationManager().schemas())  # type: ignore[no-untyped-call]
            got = (
                f"an address that {scheme}:// does not take"
                if scheme in schemes
                else f"'{scheme}://'{nearest(scheme, schemes)}"
            )
            raise ConfigError([Problem("", 0, f"channel {self.name}: wanted an address of Apprise's, got {got}")])
        return plugin

    def hidden_in(self, text: str) -> str:
        """Returns `text` with every part of the address masked."""
        from urllib.parse import unquote

        rest = self.url.get_secret_value().partition("://")[2]
        pieces = {form for piece in re.split(r"[/:@?&=,]", rest) for form in (piece, unquote(piece))}
        for piece in sorted(pieces, key=len, reverse=True):
            if len(piece) >= _SECRET_LENGTH:
                text = text.replace(piece, "****")
        return text


class _ListHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Collects Apprise's log messages and keeps them from other handlers, because they may contain addresses."""
    logger, handler = logging.getLogger("apprise"), _ListHandler()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
