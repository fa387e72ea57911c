"""`docs/permissions.md`, made from the one table of roles and permissions. What they mean is in `security.roles`."""

from __future__ import annotations

from dq_pipelines.security.roles import PERMISSIONS, Permission, Role

_ABOUT = """# Permissions

Written by `dq docs`; do not edit. A grant gives a user one of these roles: everywhere, or for the tables of one domain or of one
team alone (`dq user role ann operator@domain:retail viewer`). Nobody has a right that no grant gives. An API key has the
rights of its user, or the part of them that the role it was made with has, too. What is of no table, or of all of them together,
is for who has the right everywhere."""


def permissions_page() -> str:
    """The table as Markdown: a line for each right, a column for each role."""
    head = f"| may | {' | '.join(Role)} |\n|---|{'---|' * len(Role)}"
    lines = [
        f"| {permission} | {' | '.join('yes' if permission in PERMISSIONS[role] else '' for role in Role)} |"
        for permission in Permission
    ]
    return "\n".join([_ABOUT, "", head, *lines, ""])
