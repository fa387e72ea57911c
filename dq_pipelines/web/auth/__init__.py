"""Who asks and what they may: logins, sessions, keys, second factor, OpenID Connect and scopes."""
