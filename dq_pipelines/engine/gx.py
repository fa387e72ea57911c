"""Great Expectations itself, imported when it is first needed and made to hold its tongue. Who asks it what stands elsewhere."""

from __future__ import annotations

import logging
import os
import warnings
from functools import cache
from types import ModuleType

from dq_pipelines.errors import RuleError


@cache
def great_expectations() -> ModuleType:
    """The module, without the warnings of its import (3 s), its reports to its makers and its log.

    Raises RuleError where it cannot be imported.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import great_expectations
    except SystemExit:
        # pyspark ends a program that has no file (`python -c`, a worker of pytest-xdist) when it lacks Spark Connect.
        raise RuleError(
            "Great Expectations cannot be imported: pyspark is here, and what its Spark Connect needs is not "
            "(pip install 'pyspark[connect]')"
        ) from None
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    return great_expectations
