"""The SQL tables of users, keys, sessions, tokens, second factors and the audit log."""

from __future__ import annotations

import sqlalchemy as sa

from dq_pipelines.config.database import Moment

METADATA = sa.MetaData()

USERS = sa.Table(
    "dq_users",
    METADATA,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("password", sa.Text),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    # sessions and tokens of an earlier epoch are invalid
    sa.Column("epoch", sa.Integer, nullable=False),
    # for a user of an identity provider: the issuer's URL and the user's permanent id there
    sa.Column("subject", sa.String(600)),
    sa.Index("dq_users_subject", "subject", unique=True),
)
GRANTS = sa.Table(
    "dq_grants",
    METADATA,
    sa.Column("user", sa.ForeignKey("dq_users.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("role", sa.String(16), primary_key=True),
    sa.Column("scope", sa.String(255), primary_key=True),
)
KEYS = sa.Table(
    "dq_api_keys",
    METADATA,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("user", sa.ForeignKey("dq_users.name", ondelete="CASCADE"), nullable=False),
    sa.Column("note", sa.String(255), nullable=False),
    sa.Column("secret", sa.String(64), nullable=False),
    sa.Column("role", sa.String(16)),
    sa.Column("scope", sa.String(255), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("revoked_at", Moment),
)
SESSIONS = sa.Table(
    "dq_sessions",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user", sa.ForeignKey("dq_users.name", ondelete="CASCADE"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    # the address at login, and the browser's User-Agent
    sa.Column("address", sa.String(64)),
    sa.Column("agent", sa.String(255)),
)
SIGNING_KEYS = sa.Table(
    "dq_signing_keys",
    METADATA,
    # the `kid` in a token
    sa.Column("id", sa.String(16), primary_key=True),
    # the key is derived from it and from DQ_TOKEN_KEY
    sa.Column("seed", sa.String(64), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    # since when another key signs
    sa.Column("retired_at", Moment),
)
REFRESH_TOKENS = sa.Table(
    "dq_refresh_tokens",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    # the same for all tokens of one login
    sa.Column("family", sa.String(32), nullable=False),
    sa.Column("user", sa.ForeignKey("dq_users.name", ondelete="CASCADE"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    # when the family ends, regardless of renewals
    sa.Column("ends_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
    sa.Column("revoked_at", Moment),
    sa.Index("dq_refresh_tokens_family", "family"),
)
AUDIT = sa.Table(
    "dq_audit",
    METADATA,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    # the id of the key that signed the line; null in lines of earlier releases
    sa.Column("key_id", sa.String(16)),
)
AUDIT_HEAD = sa.Table(
    "dq_audit_head",
    METADATA,
    sa.Column("one", sa.Integer, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    # the MAC of number and hash, by the key of this id
    sa.Column("mark", sa.String(64)),
    sa.Column("key_id", sa.String(16)),
)
DEVICES = sa.Table(
    "dq_known_devices",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user", sa.ForeignKey("dq_users.name", ondelete="CASCADE"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)
TOTP = sa.Table(
    "dq_totp",
    METADATA,
    sa.Column("user", sa.ForeignKey("dq_users.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("secret", sa.String(64), nullable=False),
    # None until a first code has shown that the app has the secret
    sa.Column("confirmed_at", Moment),
    # the step whose code was taken last: none is taken twice, and none from before
    sa.Column("last_step", sa.BigInteger, nullable=False),
)
RECOVERY = sa.Table(
    "dq_recovery_codes",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user", sa.ForeignKey("dq_users.name", ondelete="CASCADE"), nullable=False),
    sa.Column("used_at", Moment),
)
WRONG_TRIES = sa.Table(
    "dq_wrong_tries",
    METADATA,
    # the hash of what is counted
    sa.Column("id", sa.String(64), primary_key=True),
    # the hash of the name, so that all of one can be forgotten together
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_at", Moment, nullable=False),
)
