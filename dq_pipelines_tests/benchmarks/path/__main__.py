"""One tool takes lineitem the whole path: `python -m dq_pipelines_tests.benchmarks.path TOOL FILE [OPTION]` prints the outcome.

In a process of its own. Imports nothing but the tool, since the whole process is timed, and a peer may run in an
environment without our packages.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    _, name, source, *options = sys.argv
    tool = importlib.import_module(f"dq_pipelines_tests.benchmarks.path.{name}")
    with tempfile.TemporaryDirectory(dir=Path(source).parent) as scratch:
        began = time.perf_counter()
        found = tool.refine(Path(source).absolute(), Path(scratch).absolute(), *options)
        print(json.dumps({"found": found, "seconds": time.perf_counter() - began}))
