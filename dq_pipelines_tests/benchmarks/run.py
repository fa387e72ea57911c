"""One tool, one file, one process: `python -m dq_pipelines_tests.benchmarks.run TOOL PATH` prints what was found.

Imports nothing but the tool, since the whole process is timed.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

if __name__ == "__main__":
    _, name, path = sys.argv
    tool = importlib.import_module(f"dq_pipelines_tests.benchmarks.tools.{name}")
    began = time.perf_counter()
    found = tool.judge(path)
    print(json.dumps({"found": found, "seconds": time.perf_counter() - began}))
