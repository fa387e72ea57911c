"""Decides whether the server may listen on an address: its host, TLS, and the proxies before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.security.certificate import Certificate
from dq_pipelines.web.auth.origins import is_loopback
from dq_pipelines.web.middleware.proxies import Proxies


@dataclass(frozen=True)
class Exposure:
    """An address to listen on, with its TLS certificate and trusted proxies."""

    host: str = "127.0.0.1"
    #: 0 for any free port
    port: int = 3001
    #: None if the server itself uses no TLS
    certificate: Certificate | None = None
    proxies: Proxies = field(default_factory=Proxies)

    @property
    def scheme(self) -> str:
        return "https" if self.certificate else "http"

    @property
    def is_everywhere(self) -> bool:
        """Whether the server listens on all addresses of this machine."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False

    @property
    def breadth(self) -> str:
        """A remark beside the printed address if the server listens on all addresses; else ""."""
        return f"listens on all addresses of this machine, {self.host}; " if self.is_everywhere else ""

    def address(self, port: int) -> str:
        """A URL that a browser can open: with the certificate's name, or this machine's, if all addresses are listened on."""
        host = self.host
        if self.is_everywhere:
            own = "::1" if ":" in host else "127.0.0.1"
            host = (self.certificate.name if self.certificate else "") or own
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def must_be_safe(self, *, has_users: bool) -> None:
        """Raise ConfigError if others could read without a login, or would send passwords unencrypted."""
        remedy = "`dq user add NAME --role admin` adds the first one"
        if not is_loopback(self.host) and not has_users:
            raise _wrong(
                f"dq serve --host: wanted 127.0.0.1, ::1 or localhost, since there are no users yet and everybody who reaches "
                f"{self.host} could read refused rows, got {self.host}; {remedy}"
            )
        if self.proxies and not has_users:
            raise _wrong(
                "dq serve --behind-proxy: wanted users first, since everybody who reaches the proxy could read refused rows, "
                f"got none; {remedy}"
            )
        if not is_loopback(self.host) and self.certificate is None and not self.proxies:
            raise _wrong(
                f"dq serve --host: wanted TLS (--tls-cert and --tls-key) or a proxy with TLS (--behind-proxy) beyond this "
                f"machine, since passwords would cross the network unencrypted, got {self.host} with neither"
            )


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem("", 0, message)])
