"""Generates `docs/permissions.md` from the table of roles and permissions in `security.roles`."""

from __future__ import annotations

from dq_pipelines.security.roles import PERMISSIONS, Permission, Role

_ABOUT = """# Permissions

Written by `dq docs`; do not edit. A grant gives a user one of these roles: everywhere, or for the tables of one domain or of one
team (`dq user role ann operator@domain:retail viewer`). Nobody has a permission without a grant. An API key has the
permissions of its user; a key with a role has only those that the role gives too. Actions on no particular table, or on all tables,
need the permission everywhere."""


def permissions_page() -> str:
    """The page as Markdown: a row for each permission, a column for each role."""
    head = f"| may | {' | '.join(Role)} |\n|---|{'---|' * len(Role)}"
    lines = [
        f"| {permission} | {' | '.join('yes' if permission in PERMISSIONS[role] else '' for role in Role)} |"
        for permission in Permission
    ]
    return "\n".join([_ABOUT, "", head, *lines, ""])
