"""Words errors of the lake for readers of pages: without the lake's address, which is the operator's business."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from urllib.parse import quote

from dq_pipelines.lake.tables import Lake

_LOG = logging.getLogger(__name__)
#: A path or address, as it stands in a sentence; libraries cut long ones at their beginning.
_ADDRESS = re.compile(r"(?:^|[\s'\"`(\[<=:,])(?:/[^\s/]|\.\.\.\S*/|[A-Za-z][A-Za-z0-9+.-]*://)")


def told(error: BaseException, lake: Lake) -> str:
    """The error's first line without addresses. The server's log has the whole error."""
    _LOG.warning("the lake %s: %s", lake.root, error)
    text = (str(error).splitlines() or [""])[0]
    for root in _spellings(lake.root):
        text = text.replace(f"{root}/", "").replace(root, "the lake")
    if _ADDRESS.search(text):
        return "a file of the table is missing or damaged, or the lake does not answer; dq doctor and the server's log say more"
    return text


def _spellings(root: str) -> list[str]:
    """How libraries write the lake's address, the longest first."""
    plain = {root, root.removeprefix("file://")}
    if "://" not in root.removeprefix("file://"):
        path = Path(root.removeprefix("file://"))
        plain |= {str(path.absolute()), str(path.resolve())}
    spelled = {form for one in plain for form in (one, quote(one), f"file://{one}", f"file://{quote(one)}")}
    return sorted((one for one in spelled if len(one) > 1), key=len, reverse=True)
