"""What YAML may say of login by OpenID Connect: the provider, and what its groups are granted. How it is asked belongs in `provider`."""

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

#: By TLS, but for what runs on this machine.
Web = Annotated[str, Field(pattern=r"^(https://[^\s/?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)(/[^\s?#]*)?$")]


class OpenIdConnect(Strict):
    """Login by an identity provider that speaks [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html).

    The provider is told the address `<address>/login/oidc/callback`. Everything else is found at its
    `.well-known/openid-configuration`. Who logs in becomes a user without a password; each login gives them the grants of
    their groups of now, in place of those before, and lasts 12 hours. Who is in no group that is named is not let in.
    """

    #: the provider, letter by letter as it calls itself: `https://login.example.org/realms/dq`
    issuer: Web
    #: what this server is called there
    client_id: Annotated[str, Field(min_length=1)]
    #: `${NAME}`; without it this is a public client, which PKCE alone protects
    client_secret: SecretStr | None = None
    #: what is asked for beside `openid`
    scopes: Many[str] = ("profile", "email")
    #: the claim that is the user's name here; a name that another user has is refused
    name_claim: Annotated[str, Field(min_length=1)] = "preferred_username"
    #: the claim that lists the user's groups; `realm_access.roles` for one within another
    groups_claim: Annotated[str, Field(min_length=1)] = "groups"
    #: by group, what it is granted: `[operator@domain:retail, viewer]`
    groups: dict[str, Many[GrantText]] = Field(default_factory=dict)
    #: what everybody is granted whom the provider lets in
    everyone: Many[GrantText] = ()
    #: where browsers find this server, `https://dq.example.org`; without it, where they say that they have found it
    address: Web | None = None
    #: what the link on the login page says
    title: Annotated[str, Field(min_length=1, max_length=60)] = "Log in by single sign-on"

    def name(self, claims: Mapping[str, Any]) -> str:
        """What the user of these claims is called here, "" where they do not say; an address is one that was verified."""
        found = claim(claims, self.name_claim)
        unsure = self.name_claim == "email" and claims.get("email_verified") is False
        return found if isinstance(found, str) and not unsure else ""

    def grants(self, claims: Mapping[str, Any]) -> frozenset[Grant]:
        """What the user of these claims is granted."""
        groups = claim(claims, self.groups_claim)
        named: Iterable[Any] = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        texts = [text for group in named if isinstance(group, str) for text in self.groups.get(group, ())]
        return frozenset(grant_named(text) for text in (*self.everyone, *texts))


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name; one within another by the names with a dot between. None where there is none."""
    if name in claims:
        return claims[name]
    outer, _, inner = name.partition(".")
    within = claims.get(outer)
    return claim(within, inner) if inner and isinstance(within, Mapping) else None
