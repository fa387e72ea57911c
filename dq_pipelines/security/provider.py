"""An identity provider, as OpenID Connect has it: where browsers are sent, and what it says of whom it sends back.

The authorization code flow with PKCE, state and nonce (OpenID Connect Core 3.1, RFC 9700). Nothing that comes is believed before
the provider's own key, taken from its own address by TLS, has vouched for it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from dq_pipelines.errors import Refused, SourceError
from dq_pipelines.security.oidc import OpenIdConnect, claim

#: The algorithms that an id_token may be signed by: with the provider's own key, and never with ours, or none.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")

#: Seconds that the provider may take, that what it says of itself is kept, and that clocks may differ.
_PATIENCE, _KEPT, _LEEWAY = 10.0, 3600.0, 60

_REFUSED = "the identity provider's answer"


@dataclass(frozen=True)
class Start:
    """One login that has begun: what the browser takes along, and what stays here."""

    #: where the browser is sent
    url: str
    #: where it comes back to
    back: str
    state: str
    nonce: str = field(repr=False)
    #: what proves that who brings the code began the login (RFC 7636)
    verifier: str = field(repr=False)


class Provider:
    """The provider of these settings. It is asked over the network: call it from a thread."""

    def __init__(self, settings: OpenIdConnect) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: Any = None

    def start(self, back: str) -> Start:
        """A login that will come back to this address; raises SourceError where the provider does not answer."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        url = prepare_grant_uri(
            self.metadata()["authorization_endpoint"],
            client_id=self.settings.client_id,
            response_type="code",
            redirect_uri=back,
            scope=" ".join(dict.fromkeys(("openid", *self.settings.scopes))),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Start(url, back, state, nonce, verifier)

    def claims(self, start: Start, answer: Mapping[str, str]) -> Mapping[str, Any]:
        """What the provider says of whom it sent back with this answer.

        Raises Refused for an answer that is not its own, or not to this login; SourceError where it does not answer us.
        """
        if "error" in answer:
            raise Refused(f"{_REFUSED}: wanted a code, got {answer['error'][:80]}")
        issuer = answer.get("iss")
        promised = self.metadata().get("authorization_response_iss_parameter_supported") is True
        if issuer != self.settings.issuer and (promised or issuer is not None):
            raise Refused(f"{_REFUSED}: wanted that of {self.settings.issuer}, got another's")  # RFC 9207
        token = self._token(start, answer.get("code", ""))
        claims = self._read(token, start.nonce)
        wanted = (self.settings.name_claim, self.settings.groups_claim)
        if any(claim(claims, name) is None for name in wanted) and "userinfo_endpoint" in self.metadata():
            claims = self._more(token, claims)
        return claims

    def metadata(self) -> Mapping[str, Any]:
        """What the provider says of itself."""
        with self._lock:
            if self._metadata is None or time.monotonic() > self._metadata[0] + _KEPT:
                issuer = self.settings.issuer
                found = _asked(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != issuer:
                    raise SourceError(f"oidc.issuer: wanted what the provider calls itself, got {issuer}")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    _must_be_safe(name, found.get(name), issuer)
                self._metadata, self._keys = (time.monotonic(), found), None
            return self._metadata[1]

    def _token(self, start: Start, code: str) -> Mapping[str, Any]:
        """What the code is exchanged for: `id_token` and `access_token`."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": start.back,
            "code_verifier": start.verifier,
            "client_id": self.settings.client_id,
        }
        headers, secret = {}, self.settings.client_secret
        if secret is not None:
            methods = self.metadata().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
            if "client_secret_basic" in methods:
                headers["Authorization"] = _basic(self.settings.client_id, secret.get_secret_value())
            else:
                form["client_secret"] = secret.get_secret_value()
        return _asked(self.metadata()["token_endpoint"], form, headers)

    def _read(self, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """What the id_token says, if the provider signed it, for us and for this login, and it has not run out."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError
        from joserfc.jws import JWSRegistry

        promised = self.metadata().get("id_token_signing_alg_values_supported") or ["RS256"]
        allowed = [name for name in ALGORITHMS if name in promised]
        registry = JWSRegistry(algorithms=allowed, strict_check_header=False)
        text = token.get("id_token")
        try:
            if not isinstance(text, str):
                raise Refused(f"{_REFUSED}: wanted an id_token, got none")
            try:
                read = jwt.decode(text, self._key_set(), algorithms=allowed, registry=registry)
            except InvalidKeyIdError:  # the provider may have a new key
                read = jwt.decode(text, self._key_set(anew=True), algorithms=allowed, registry=registry)
            options = {
                "iss": {"essential": True, "value": self.settings.issuer},
                "aud": {"essential": True, "value": self.settings.client_id},
            }
            params = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": token.get("access_token")}
            CodeIDToken(read.claims, read.header, options, params).validate(leeway=_LEEWAY)
            if not isinstance(read.claims["sub"], str) or not read.claims["sub"]:
                raise Refused(f"{_REFUSED}: wanted a text as sub, got none")
        except (JoseError, ValueError, TypeError, RecursionError) as error:  # whatever may stand in there
            raise Refused(f"{_REFUSED}: wanted an id_token for this login, got one refused as {_word(error)}") from None
        return dict(read.claims)

    def _key_set(self, *, anew: bool = False) -> Any:
        from joserfc.jwk import KeySet

        metadata = self.metadata()
        with self._lock:
            if self._keys is None or anew:
                self._keys = KeySet.import_key_set(_asked(metadata["jwks_uri"]))  # type: ignore[arg-type]
            return self._keys

    def _more(self, token: Mapping[str, Any], claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims with those that the provider tells only when it is asked for them."""
        where = self.metadata()["userinfo_endpoint"]
        _must_be_safe("userinfo_endpoint", where, self.settings.issuer)
        found = _asked(where, headers={"Authorization": f"Bearer {token.get('access_token')}"})
        if found.get("sub") != claims["sub"]:
            raise Refused(f"{_REFUSED}: wanted claims of the same user, got those of another")
        return {**found, **claims}


def _asked(
    url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """The JSON object that the provider answers; raises Refused where it refuses, SourceError where it cannot be asked."""
    import httpx

    place = f"login by OpenID Connect: {url}"
    sent = {"Accept": "application/json", **(headers or {})}
    try:
        with httpx.Client(timeout=_PATIENCE, follow_redirects=False) as client:
            answer = client.get(url, headers=sent) if form is None else client.post(url, data=dict(form), headers=sent)
        found = answer.json() if answer.status_code < 500 else None
    except httpx.HTTPError as error:
        raise SourceError(f"{place}: wanted an answer, got {type(error).__name__}") from None
    except ValueError:
        found = None
    if isinstance(found, dict) and form is not None and "error" in found:
        raise Refused(f"{_REFUSED}: wanted tokens for its code, got {str(found['error'])[:80]}")
    if answer.status_code != 200 or not isinstance(found, dict):
        raise SourceError(f"{place}: wanted an object in JSON, got {answer.status_code}")
    return found


def _must_be_safe(name: str, url: object, issuer: str) -> None:
    """Refuse a place without TLS, unless the provider is on this machine."""
    if not isinstance(url, str) or not url.startswith("https://" if issuer.startswith("https://") else "http"):
        raise SourceError(f"login by OpenID Connect: wanted {name} with https://, got {url or 'none'}")


def _basic(name: str, secret: str) -> str:
    # Both are encoded first (RFC 6749, 2.3.1); a space as %20, which every decoder reads.
    import base64

    return "Basic " + base64.b64encode(f"{quote(name, safe='')}:{quote(secret, safe='')}".encode()).decode()


def _word(error: Exception) -> str:
    """What was wrong, without a value."""
    name = getattr(error, "claim", None) or getattr(error, "error", None)
    return str(name) if name else type(error).__name__
