"""Sending by Apprise. The one file of this room that knows the network; it shows no address to anybody."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from dq_pipelines.errors import ConfigError, Problem, SourceError, nearest
from dq_pipelines.monitoring.alerts.wording import Post

if TYPE_CHECKING:
    from apprise import NotifyBase

#: Pieces of an address that are shorter than this give nothing away.
_TELLING = 4


@dataclass(frozen=True)
class Channel:
    """A name of `alerts.to`, and where it leads."""

    name: str
    url: SecretStr

    def send(self, post: Post) -> None:
        """Send it now. Raises SourceError when it did not arrive, ConfigError when no service has such an address."""
        import apprise

        with _captured() as said:
            plugin = self._plugin()
            sender = apprise.Apprise()
            sender.add(plugin)
            kind = apprise.NotifyType(post.kind)
            # Plain text: what a check says is nobody's Markdown or HTML.
            sent = sender.notify(post.body, title=post.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
        if not sent:
            reason = "; ".join(said) or "the service did not take it"
            raise SourceError(f"channel {self.name}: wanted to send a message, got: {self.hidden_in(reason)}")

    def _plugin(self) -> NotifyBase:
        import apprise
        from apprise.manager_plugins import NotificationManager

        url = self.url.get_secret_value()
        plugin: NotifyBase | None = apprise.Apprise.instantiate(url)
        if plugin is None:
            scheme, known = url.partition("://")[0].lower(), list(NotificationManager().schemas())  # type: ignore[no-untyped-call]
            got = (
                f"an address that {scheme}:// does not take"
                if scheme in known
                else f"'{scheme}://'{nearest(scheme, known)}"
            )
            raise ConfigError([Problem("", 0, f"channel {self.name}: wanted an address of Apprise's, got {got}")])
        return plugin

    def hidden_in(self, text: str) -> str:
        """`text` without any telling piece of the address."""
        from urllib.parse import unquote

        rest = self.url.get_secret_value().partition("://")[2]
        pieces = {form for piece in re.split(r"[/:@?&=,]", rest) for form in (piece, unquote(piece))}
        for piece in sorted(pieces, key=len, reverse=True):
            if len(piece) >= _TELLING:
                text = text.replace(piece, "****")
        return text


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _captured() -> Iterator[list[str]]:
    """What Apprise says meanwhile; nobody else hears it, for it may name addresses."""
    logger, handler = logging.getLogger("apprise"), _Lines()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield handler.said
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
