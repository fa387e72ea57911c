"""The small pages with a form (login, account): their frame, what they may do, and what a browser sends back from them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse

#: What such a page may do: be looked at, and send its form here.
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

_LONGEST = 4096


def form_page(title: str, inner: str, said: str = "", status: int = 200) -> HTMLResponse:
    """A page of this HTML; with what is to be said first, a text."""
    kind = "said" if status >= 400 else "said done"
    told = f'<p class="{kind}" role="alert">{html.escape(said)}</p>' if said else ""
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><link rel="stylesheet" href="/login/style.css"></head>
<body><main><h1>dq_pipelines</h1>{told}
{inner}</main></body></html>"""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers=headers)


async def filled_in(request: Request) -> Mapping[str, str] | None:
    """What a form says, each name's last value; None for one that is longer than any of ours."""
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
