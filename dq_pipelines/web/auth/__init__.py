"""Authentication and authorization: logins, sessions, keys, second factor, OpenID Connect and scopes."""
