"""The errors that libraries raise, without importing one for it."""

from __future__ import annotations

import sys
from typing import Literal

#: Where a library has its errors, and from which class they come.
_ERRORS = {
    "deltalake": ("deltalake.exceptions", ("DeltaError",)),
    # A panic is no Exception: unhandled, it would pass every handler above us and end the process.
    "polars": ("polars.exceptions", ("PolarsError", "PanicException")),
    "pyarrow": ("pyarrow", ("ArrowException",)),
}


def library_errors(*libraries: Literal["deltalake", "polars", "pyarrow"]) -> tuple[type[BaseException], ...]:
    """OSError, and what these libraries raise.

    Only a library that this process has imported can have raised something. So ask once something was raised, in an `except`.
    """
    found: list[type[BaseException]] = [OSError]
    for library in libraries:
        module, names = _ERRORS[library]
        if module in sys.modules:
            found += (getattr(sys.modules[module], name) for name in names)
    return tuple(found)
