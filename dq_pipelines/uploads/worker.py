"""The process that looks at an uploaded file: `python -m dq_pipelines.uploads.worker TASK`, a request on stdin, an answer on stdout."""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

from dq_pipelines.config.process_limits import limit_process
from dq_pipelines.errors import ConfigError, DqError

#: Characters of an answer.
_LONGEST = 16_000_000


def main(task: str) -> None:
    """Answer the request on stdin. What a library prints goes nowhere."""
    request: dict[str, Any] = json.load(sys.stdin)
    limits = request.pop("limits")
    limit_process(limits["memory"], limits["cpu"], limits["disk"])
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        warnings.simplefilter("ignore")
        answer = json.dumps(_answer(task, request))
        if len(answer) > _LONGEST:
            answer = json.dumps(
                {"error": f"{request['name']}: wanted a file that can be shown, got too many and too long texts"}
            )
        out.write(answer)


def _answer(task: str, request: dict[str, Any]) -> dict[str, Any]:
    from dq_pipelines.uploads.inspection import inspect
    from dq_pipelines.uploads.trial import judge_newest, judge_upload

    scratch = request.pop("scratch")
    try:
        if task == "inspect":
            return inspect(**request)
        judge = judge_upload if task == "trial" else judge_newest
        return judge(**request, scratch=scratch)
    except ConfigError as error:
        return {"problems": [vars(problem) for problem in error.problems]}
    except DqError as error:
        text = str(error)
        for path in filter(None, (request["path"], scratch)):
            text = text.replace(path, request["name"])
        return {"error": text}


if __name__ == "__main__":
    main(sys.argv[1])
