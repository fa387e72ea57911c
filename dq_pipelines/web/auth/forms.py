"""Renders the small pages with a form (login, account), and parses submitted forms."""

from __future__ import annotations

import html
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse

from dq_pipelines.web.navigation import PRODUCT, Bar

#: The content security policy of such a page: it loads its own style, and submits to this site.
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

_LONGEST = 4096


def form_page(title: str, inner: str, message: str = "", status: int = 200, bar: Bar | None = None) -> HTMLResponse:
    """A page with this inner HTML, and a message (plain text) at the top; below the console's bar for who has logged in."""
    kind = "said" if status >= 400 else "said done"
    alert = f'<p class="{kind}" role="alert">{html.escape(message)}</p>' if message else ""
    style = f'<link rel="stylesheet" href="{html.escape(bar.stylesheet)}">' if bar is not None else ""
    above = bar.html() if bar is not None else ""
    heading = title if bar is not None else PRODUCT
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><link rel="stylesheet" href="/login/style.css">{style}</head>
<body{' class="with-bar"' if bar is not None else ""}>{above}<main><h1>{html.escape(heading)}</h1>{alert}
{inner}</main></body></html>"""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers=headers)


async def read_form(request: Request) -> Mapping[str, str] | None:
    """The fields of a submitted form, the last value of each name; None for a form that is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            return None
    try:
        read = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return None
    return {name: values[-1] for name, values in read.items()}
