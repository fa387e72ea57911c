"""The browser that pages are looked at in, and a way to ask Dagster beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from playwright.sync_api import Browser, sync_playwright

from dq_pipelines_tests.programs import program

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

Done = TypeVar("Done")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser until the block ends; the test is skipped, or under CI fails, where there is none."""
    with sync_playwright() as driver:
        made = driver.chromium.launch(
            executable_path=program("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield made
        made.close()


def apart(do: Callable[[], Done]) -> Done:
    """Done in a thread of its own: Playwright has the event loop of this one, and Dagster's runs want one for themselves."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(do).result()
