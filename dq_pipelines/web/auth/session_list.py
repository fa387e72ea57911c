"""Renders the list of sessions on the account page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import UTC, datetime

from dq_pipelines.security.sessions import OpenSession
from dq_pipelines.web.auth.access import Caller

#: The form's value to end every session except this one.
OTHERS = "others"

#: Marks in a User-Agent, the specific ones first: browsers based on Chromium also contain Chrome and Safari.
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def sessions_section(caller: Caller, sessions: Sequence[OpenSession]) -> str:
    """HTML with device, address and last use of each session, and buttons to end them."""
    if not sessions:
        return ""
    csrf = f'<input type="hidden" name="csrf" value="{html.escape(caller.csrf or "")}">'
    items = "".join(_item(one, csrf, is_this=one.id == caller.session) for one in sessions)
    others = any(one.id != caller.session for one in sessions)
    end = f'<form method="post" action="/account/sessions">{csrf}<input type="hidden" name="end" value="{OTHERS}">'
    end += '<button class="soft">End all others</button></form>'
    return f'<h2>Sessions</h2><ul class="sessions">{items}</ul>{end if others else ""}'


def device_of(agent: str) -> str:
    """A User-Agent in words, as `Firefox on Linux`; that of another program stays as it is."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in agent), None)
    if browser is None:
        return agent[:60] or "unknown device"
    return f"{browser} on {system}" if system else browser


def _item(one: OpenSession, csrf: str, *, is_this: bool) -> str:
    device = "a program, by token" if one.kind == "token" else device_of(one.agent)
    where = f" at {html.escape(one.address)}" if one.address else ""
    seen = f"last used {_ago(one.seen_at)}, begun {one.created_at:%Y-%m-%d %H:%M} UTC"
    if is_this:
        end = "<em>this one</em>"
    else:
        end = f'<form method="post" action="/account/sessions">{csrf}<input type="hidden" name="end" value="{one.id}">'
        end += f'<button class="small" aria-label="End {html.escape(device)}{where}">End</button></form>'
    return f"<li><div><strong>{html.escape(device)}</strong>{where}<br><small>{seen}</small></div>{end}</li>"


def _ago(moment: datetime) -> str:
    minutes = int((datetime.now(UTC) - moment).total_seconds() // 60)
    if minutes < 2:
        return "just now"
    return f"{minutes} minutes ago" if minutes < 120 else f"{minutes // 60} hours ago"
