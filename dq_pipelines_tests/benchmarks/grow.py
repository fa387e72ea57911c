"""One engine, so many rules, one file, one process: `python -m dq_pipelines_tests.benchmarks.grow ENGINE RULES PATH`."""

from __future__ import annotations

import json
import sys
import time

if __name__ == "__main__":
    from dq_pipelines import validate
    from dq_pipelines_tests.benchmarks.suite import many

    _, engine, count, path = sys.argv
    rules = [{"type": kind, "kwargs": arguments} for kind, arguments in many(int(count))]
    began = time.perf_counter()
    verdict = validate(path, rules, engine=engine)
    found = [
        result.success if result.unexpected_count is None else result.unexpected_count for result in verdict.results
    ]
    print(json.dumps({"found": found, "seconds": time.perf_counter() - began}))
