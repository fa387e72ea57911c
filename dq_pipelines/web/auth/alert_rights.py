"""Answers who may view and handle an alert: whoever may do so with its table, and for a job's alert with all tables."""

from __future__ import annotations

from dq_pipelines.history.alerts.alert import Alert
from dq_pipelines.security.roles import Permission, why_none_of
from dq_pipelines.web.auth.authorization import Rights


def sees_alert(rights: Rights, alert: Alert) -> bool:
    """Whether the caller may view the alert."""
    return _may(rights, Permission.LOOK, alert)


#: Each of them allows to handle an alert.
_HANDLING = (Permission.HEAL, Permission.RUN)


def may_handle(rights: Rights, alert: Alert) -> bool:
    """Whether the caller may acknowledge, assign, mute and resolve it: who heals the table's rows, or runs it."""
    return any(_may(rights, permission, alert) for permission in _HANDLING)


def why_not_handle(rights: Rights, alert: Alert) -> str:
    """A sentence for a refusal: who may handle the alert, and which roles the caller has."""
    if rights.caller is None:
        return rights.why_not(Permission.RUN)
    of = alert.about if "/" in alert.about else "every table"
    return why_none_of(rights.caller.user.grants, _HANDLING, "handle alerts", of)


def _may(rights: Rights, permission: Permission, alert: Alert) -> bool:
    return rights.may(permission, alert.about) if "/" in alert.about else rights.may_everywhere(permission)
