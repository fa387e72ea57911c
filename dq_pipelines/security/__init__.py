"""Authentication, authorisation and audit: users, sessions, API keys, tokens, roles, and the audit log."""
