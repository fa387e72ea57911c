"""A real OpenID Connect provider in this process: Authlib's own server side, over HTTP, with a signing key of its own.

It asks nobody for a password (`people` are logged in there already), wants PKCE, and can be told to lie, one claim at a time.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, request
from joserfc import jws, jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "dq serve", "geheim/4711+:ä"


@dataclass
class IdentityProvider:
    """The provider; what it says may be changed while it runs."""

    address: str = ""
    #: who is logged in there: their claims
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "preferred_username": "ann", "groups": ["ops"]}
    )
    #: of an id_token, what is said in place of the truth; None leaves a claim out
    lies: dict[str, Any] = field(default_factory=dict)
    #: claims that only the userinfo endpoint tells, and what it lies
    kept_back: tuple[str, ...] = ()
    told_later: dict[str, Any] = field(default_factory=dict)
    #: of the discovery document, what is said in place of the truth
    metadata: dict[str, Any] = field(default_factory=dict)
    alg: str = "RS256"
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}))
    #: what signs in place of the key that is published
    forger: Any = None
    #: the `iss` of the answer (RFC 9207); "" for none
    answers_as: str = ""
    #: every request to the token endpoint, as it came
    exchanged: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)


class _Client(ClientMixin):  # type: ignore[misc]
    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.endswith("/login/oidc/callback")

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class _Code(SimpleNamespace):
    """A code that was given out, with what was asked for."""

    def get_redirect_uri(self) -> str:
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        return str(self.scope)

    def get_nonce(self) -> str:
        return str(self.nonce)

    def get_auth_time(self) -> int:
        return int(self.auth_time)

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class _Challenge(CodeChallenge):  # type: ignore[misc]
    """PKCE by S256, of every client."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        if not grant.request.payload.data.get("code_challenge"):
            raise InvalidRequestError("Missing 'code_challenge'")
        super().validate_code_challenge(grant, redirect_uri)


def _grants(provider: IdentityProvider) -> tuple[type[AuthorizationCodeGrant], OpenIDCode]:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        def save_authorization_code(self, code: str, request: Any) -> None:
            asked = request.payload
            provider.codes[code] = _Code(
                code=code, redirect_uri=asked.redirect_uri, scope=asked.scope, nonce=asked.data["nonce"],
                code_challenge=asked.data["code_challenge"], code_challenge_method=asked.data["code_challenge_method"],
                auth_time=int(time.time()), person=dict(provider.person),
            )  # fmt: skip

        def query_authorization_code(self, code: str, client: Any) -> Any:
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: Any) -> None:
            del provider.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: Any) -> Any:
            return authorization_code.person

    class Code(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return any(code.nonce == nonce for code in provider.codes.values())

        def resolve_client_private_key(self, client: Any) -> Any:
            return provider.key

        def get_client_algorithm(self, client: Any) -> str:
            return "RS256"

        def get_encode_header(self, client: Any) -> dict[str, Any]:
            return {"alg": "RS256", "kid": provider.key.kid}

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            return {"iss": provider.address, "aud": [CLIENT]}

        def get_compatible_claims(self, request: Any) -> dict[str, Any]:
            now = int(time.time())
            return {"iss": provider.address, "aud": [CLIENT], "iat": now, "exp": now + 300}

        def generate_user_info(self, user: dict[str, Any], scope: str) -> UserInfo:
            said = {name: value for name, value in user.items() if name not in provider.kept_back}
            return UserInfo(said)

        def encode_id_token(self, token: Any, request: Any) -> str:
            """What Authlib would say, with the lies laid over it."""
            header = {"alg": provider.alg, "kid": provider.key.kid}
            claims = json.loads(jws.extract_compact(super().encode_id_token(token, request).encode()).payload)
            told = {name: value for name, value in (claims | provider.lies).items() if value is not None}
            if provider.alg == "none":
                return ".".join((_packed(header), _packed(told), ""))
            return jwt.encode(header, told, provider.forger or provider.key, [provider.alg])

    return Grant, Code(require_nonce=True)


def _packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _app(provider: IdentityProvider) -> Flask:
    app = Flask("identity_provider")
    server = AuthorizationServer(
        app, query_client=lambda name: _Client() if name == CLIENT else None,
        save_token=lambda token, asked: provider.tokens.__setitem__(token["access_token"], asked.user),
    )  # fmt: skip
    grant, openid = _grants(provider)
    server.register_grant(grant, [openid, _Challenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def about() -> Response:
        told = {
            "issuer": provider.address,
            "authorization_endpoint": f"{provider.address}/authorize",
            "token_endpoint": f"{provider.address}/token",
            "userinfo_endpoint": f"{provider.address}/userinfo",
            "jwks_uri": f"{provider.address}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }
        return jsonify(told | provider.metadata)

    @app.get("/keys")
    def keys() -> Response:
        return jsonify({"keys": [provider.key.as_dict(private=False)]})

    @app.get("/authorize")
    def authorize() -> Response:
        found: Response = server.create_authorization_response(
            grant_user=provider.person, grant=server.get_consent_grant(end_user=provider.person)
        )
        if provider.answers_as and "code=" in found.headers.get("Location", ""):
            found.headers["Location"] += f"&iss={provider.answers_as}"
        return found

    @app.post("/token")
    def token() -> Response:
        provider.exchanged.append(dict(request.form))
        found: Response = server.create_token_response()
        return found

    @app.get("/userinfo")
    def userinfo() -> Response:
        user = provider.tokens[request.headers["Authorization"].removeprefix("Bearer ")]
        return jsonify(user | provider.told_later)

    return app


@contextmanager
def providing() -> Iterator[IdentityProvider]:
    """A provider on this machine, until the block ends."""
    provider = IdentityProvider()
    server = make_server("127.0.0.1", 0, _app(provider), threaded=True)
    provider.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
