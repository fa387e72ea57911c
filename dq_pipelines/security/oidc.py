"""Defines the settings of login by OpenID Connect: the provider, and the grants of its groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from dq_pipelines.config.model import Many, Strict
from dq_pipelines.errors import ConfigError
from dq_pipelines.security.roles import Grant, grant_named


def _grant(text: str) -> str:
    try:
        grant_named(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text


#: `operator`, or `operator@domain:retail`.
GrantText = Annotated[str, AfterValidator(_grant)]

#: A URL with TLS, or one of this machine.
Web = Annotated[str, Field(pattern=r"^(https://[^\s/?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)(/[^\s?#]*)?$")]


class OpenIdConnect(Strict):
    """Login by an identity provider that speaks [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html).

    Register the redirect URL `<address>/login/oidc/callback` with the provider. Everything else comes from its
    `.well-known/openid-configuration`. A person who logs in becomes a user without a password. Each login replaces their grants
    by those of their current groups, and lasts 12 hours. A person in none of the groups below is refused.
    """

    #: the provider's issuer URL, exactly as it states it: `https://login.example.org/realms/dq`
    issuer: Web
    #: the id of this server at the provider
    client_id: Annotated[str, Field(min_length=1)]
    #: `${NAME}`; without it this is a public client, which only PKCE protects
    client_secret: SecretStr | None = None
    #: scopes to request besides `openid`
    scopes: Many[str] = ("profile", "email")
    #: the claim with the user's name; a name of another user is refused
    name_claim: Annotated[str, Field(min_length=1)] = "preferred_username"
    #: the claim that lists the user's groups; `realm_access.roles` for one within another
    groups_claim: Annotated[str, Field(min_length=1)] = "groups"
    #: the grants of each group: `[operator@domain:retail, viewer]`
    groups: dict[str, Many[GrantText]] = Field(default_factory=dict)
    #: the grants of everybody whom the provider authenticates
    everyone: Many[GrantText] = ()
    #: the URL of this server for browsers, `https://dq.example.org`; by default that of the request
    address: Web | None = None
    #: the text of the link on the login page
    title: Annotated[str, Field(min_length=1, max_length=60)] = "Log in by single sign-on"

    def name(self, claims: Mapping[str, Any]) -> str:
        """The user's name by these claims; "" without one, and for an e-mail address that is not verified."""
        name = claim(claims, self.name_claim)
        unverified = self.name_claim == "email" and claims.get("email_verified") is False
        return name if isinstance(name, str) and not unverified else ""

    def grants(self, claims: Mapping[str, Any]) -> frozenset[Grant]:
        """The grants of a user with these claims."""
        groups = claim(claims, self.groups_claim)
        named: Iterable[Any] = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        texts = [text for group in named if isinstance(group, str) for text in self.groups.get(group, ())]
        return frozenset(grant_named(text) for text in (*self.everyone, *texts))


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name, or None; a dot separates the names of nested claims."""
    if name in claims:
        return claims[name]
    outer, _, inner = name.partition(".")
    within = claims.get(outer)
    return claim(within, inner) if inner and isinstance(within, Mapping) else None
