"""Projects that a test writes and runs, and who listens to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dq_pipelines_tests.orchestration.listening import Hook, Mailbox, hook, mailbox
from dq_pipelines_tests.orchestration.orders import settings, table
from dq_pipelines_tests.workshop import Workshop


@pytest.fixture
def web() -> Iterator[Hook]:
    with hook() as listening:
        yield listening


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    with mailbox() as listening:
        yield listening


@pytest.fixture
def orders(shop: Workshop, web: Hook) -> Workshop:
    """A shop with a table of orders, which tells the web hook of what goes wrong."""
    settings(shop, web)
    table(shop)
    return shop
