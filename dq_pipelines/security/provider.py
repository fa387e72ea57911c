"""Talks to an OpenID Connect provider: builds the authorization request, and verifies the claims of the answer.

It uses the authorization code flow with PKCE, state and nonce (OpenID Connect Core 3.1, RFC 9700). Claims count only if they are
signed by the provider's key, which comes from the provider's own URL by TLS.
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

#: Algorithms allowed for an id_token: only asymmetric ones, so neither the client secret nor "none" can sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")

#: Seconds: the timeout of requests, the lifetime of cached metadata, and the allowed clock skew.
_TIMEOUT, _CACHED, _LEEWAY = 10.0, 3600.0, 60

_REFUSED = "the identity provider's answer"


@dataclass(frozen=True)
class PendingLogin:
    """A pending login: what the browser takes along, and what the server keeps."""

    #: the provider's URL, to which the browser is redirected
    url: str
    #: the redirect URI of this server
    back: str
    state: str
    nonce: str = field(repr=False)
    #: the PKCE code verifier: proves that the same client began the login (RFC 7636)
    verifier: str = field(repr=False)


class Provider:
    """The provider of these settings. Its methods block on the network: call them from a thread."""

    def __init__(self, settings: OpenIdConnect) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: Any = None

    def start(self, back: str) -> PendingLogin:
        """Begin a login that returns to this URL; raises SourceError if the provider does not answer."""
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
        return PendingLogin(url, back, state, nonce, verifier)

    def claims(self, start: PendingLogin, answer: Mapping[str, str]) -> Mapping[str, Any]:
        """The claims about the user whom the provider sent back with this answer.

        Raises Refused for an answer that is not the provider's, or not for this login; SourceError if it does not answer.
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
        """The provider's metadata, cached for an hour."""
        with self._lock:
            if self._metadata is None or time.monotonic() > self._metadata[0] + _CACHED:
                issuer = self.settings.issuer
                metadata = _request(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if metadata.get("issuer") != issuer:
                    raise SourceError(f"oidc.issuer: wanted what the provider calls itself, got {issuer}")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    _must_be_safe(name, metadata.get(name), issuer)
                self._metadata, self._keys = (time.monotonic(), metadata), None
            return self._metadata[1]

    def _token(self, start: PendingLogin, code: str) -> Mapping[str, Any]:
        """Exchange the code for `id_token` and `access_token`."""
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
        return _request(self.metadata()["token_endpoint"], form, headers)

    def _read(self, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """The claims of the id_token, if the provider signed it for this client and this login, and it has not expired."""
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
                read = jwt.decode(text, self._key_set(reload=True), algorithms=allowed, registry=registry)
            options = {
                "iss": {"essential": True, "value": self.settings.issuer},
                "aud": {"essential": True, "value": self.settings.client_id},
            }
            params = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": token.get("access_token")}
            CodeIDToken(read.claims, read.header, options, params).validate(leeway=_LEEWAY)
            if not isinstance(read.claims["sub"], str) or not read.claims["sub"]:
                raise Refused(f"{_REFUSED}: wanted a text as sub, got none")
        except (JoseError, ValueError, TypeError, RecursionError) as error:  # the token's content is arbitrary
            raise Refused(f"{_REFUSED}: wanted an id_token for this login, got one refused as {_word(error)}") from None
        return dict(read.claims)

    def _key_set(self, *, reload: bool = False) -> Any:
        from joserfc.jwk import KeySet

        metadata = self.metadata()
        with self._lock:
            if self._keys is None or reload:
                self._keys = KeySet.import_key_set(_request(metadata["jwks_uri"]))  # type: ignore[arg-type]
            return self._keys

    def _more(self, token: Mapping[str, Any], claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims, with those of the userinfo endpoint added."""
        endpoint = self.metadata()["userinfo_endpoint"]
        _must_be_safe("userinfo_endpoint", endpoint, self.settings.issuer)
        userinfo = _request(endpoint, headers={"Authorization": f"Bearer {token.get('access_token')}"})
        if userinfo.get("sub") != claims["sub"]:
            raise Refused(f"{_REFUSED}: wanted claims of the same user, got those of another")
        return {**userinfo, **claims}


def _request(
    url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """The JSON object that the provider answers; raises Refused if it refuses, SourceError if the request fails."""
    import httpx

    place = f"login by OpenID Connect: {url}"
    sent = {"Accept": "application/json", **(headers or {})}
    try:
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=False) as client:
            answer = client.get(url, headers=sent) if form is None else client.post(url, data=dict(form), headers=sent)
        content = answer.json() if answer.status_code < 500 else None
    except httpx.HTTPError as error:
        raise SourceError(f"{place}: wanted an answer, got {type(error).__name__}") from None
    except ValueError:
        content = None
    if isinstance(content, dict) and form is not None and "error" in content:
        raise Refused(f"{_REFUSED}: wanted tokens for its code, got {str(content['error'])[:80]}")
    if answer.status_code != 200 or not isinstance(content, dict):
        raise SourceError(f"{place}: wanted an object in JSON, got {answer.status_code}")
    return content


def _must_be_safe(name: str, url: object, issuer: str) -> None:
    """Refuse a URL without TLS, unless the provider is on this machine."""
    if not isinstance(url, str) or not url.startswith("https://" if issuer.startswith("https://") else "http"):
        raise SourceError(f"login by OpenID Connect: wanted {name} with https://, got {url or 'none'}")


def _basic(name: str, secret: str) -> str:
    # Both are encoded first (RFC 6749, 2.3.1); a space as %20, which every decoder reads.
    import base64

    return "Basic " + base64.b64encode(f"{quote(name, safe='')}:{quote(secret, safe='')}".encode()).decode()


def _word(error: Exception) -> str:
    """The claim or error that was wrong, without a value."""
    name = getattr(error, "claim", None) or getattr(error, "error", None)
    return str(name) if name else type(error).__name__
