"""Who is who and may do what: users, sessions, API keys, roles, and the audit log. What is guarded by it is in `web`."""
