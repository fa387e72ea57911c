"""Answers who may view and handle an alert: whoever may do so with its table, and for a job's alert with all tables."""

from __future__ import annotations

from dq_pipelines.history.alerts.alert import Alert
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.auth.authorization import Rights


def sees_alert(rights: Rights, alert: Alert) -> bool:
    """Whether the caller may view the alert."""
    return _may(rights, Permission.LOOK, alert)


def may_handle(rights: Rights, alert: Alert) -> bool:
    """Whether the caller may acknowledge, assign, mute and resolve it: who heals the table's rows, or runs it."""
    return _may(rights, Permission.HEAL, alert) or _may(rights, Permission.RUN, alert)


def _may(rights: Rights, permission: Permission, alert: Alert) -> bool:
    return rights.may(permission, alert.about) if "/" in alert.about else rights.may_everywhere(permission)
