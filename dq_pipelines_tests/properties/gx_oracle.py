"""Great Expectations itself, on its pandas engine."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

from dq_pipelines_tests.properties.gx_frames import Frame

#: Judges rows by one expectation with its arguments, in a result format; the result as GX writes it to JSON.
Oracle = Callable[[Frame, str, dict[str, Any], Any], dict[str, Any]]


def oracle() -> Oracle:
    """Great Expectations in one context for all cases."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations
        from great_expectations.expectations.registry import get_expectation_impl

        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
        context = great_expectations.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
        batches = asset.add_batch_definition_whole_dataframe("all")

    def judged(frame: Frame, name: str, kwargs: dict[str, Any], result_format: Any) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = batches.get_batch({"dataframe": frame.pandas()})
            result = batch.validate(get_expectation_impl(name)(**kwargs), result_format=result_format)
            found: dict[str, Any] = result.to_json_dict()
        return found

    return judged


def raised(found: dict[str, Any]) -> str | None:
    """What GX failed with, when it could not judge."""
    info = found["exception_info"]
    if "raised_exception" in info:
        return str(info.get("exception_message")) if info["raised_exception"] else None
    return "; ".join(str(one.get("exception_message")) for one in info.values())
