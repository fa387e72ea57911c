"""The templates of the dashboard: their environment, filters and rendering."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dq_pipelines.history.queries import wording
from dq_pipelines.history.queries.series import DIMENSIONS
from dq_pipelines.rules.core.check_names import in_short
from dq_pipelines.rules.core.clock import now
from dq_pipelines.web.dashboard import files
from dq_pipelines.web.dashboard.ages import AGES, age_of
from dq_pipelines.web.dashboard.alerts_page import MUTES
from dq_pipelines.web.dashboard.links import Links, slug
from dq_pipelines.web.dashboard.listing import SORTS
from dq_pipelines.web.dashboard.overview import LISTED
from dq_pipelines.web.dashboard.table_summary import FIRST, SPAN, SPANS
from dq_pipelines.web.navigation import PRODUCT

#: A moment, and the zeros after its seconds.
_ZEROS = re.compile(r"^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)\.0+(?=$|Z$|[+-]\d\d:?\d\d$)")


@cache
def environment() -> Environment:
    """The template environment, which escapes all values."""
    made = Environment(
        loader=PackageLoader("dq_pipelines.web.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (
        "age", "attempt", "failures", "rule_findings", "last_attempt", "moment", "partitions", "percent", "recheck", "score", "state", "word",
    )  # fmt: skip
    made.globals |= {name: getattr(wording, name) for name in words}
    made.globals |= {
        "PRODUCT": PRODUCT,
        "AGES": AGES,
        "MUTES": MUTES,
        "age_of": age_of,
        "slug": slug,
        "SPANS": SPANS,
        "FIRST": FIRST,
        "LISTED": LISTED,
        "SORTS": SORTS,
        "SPAN": SPAN,
        "DIMENSIONS": DIMENSIONS,
        "plotly_styles": files.plotly_styles,
        "in_short": in_short,
    }
    made.filters |= {"n": "{:,}".format, "cut": _cut, "local": datetime.astimezone}
    made.filters |= {"capitalize_first": _capitalized, "without_zeros": _without_zeros}
    return made


def rendered(name: str, view: Any, links: Links, **more: Any) -> str:
    """The template's HTML for a view."""
    return environment().get_template(f"{name}.html.j2").render(view=view, links=links, now=now(), **more)


def _capitalized(text: str) -> str:
    """The text with a capital first letter and all others unchanged, unlike `str.capitalize`."""
    return text[:1].upper() + text[1:]


def _without_zeros(text: str) -> str:
    """A moment without a fraction of a second that is zero; any other text unchanged."""
    return _ZEROS.sub(r"\1", text)


def _cut(number: float) -> str:
    """Percent with two digits, truncated and not rounded, so that 100 means no failure at all."""
    return f"{int(number * 100) / 100:.2f}"
