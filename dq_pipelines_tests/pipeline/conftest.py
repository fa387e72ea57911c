"""Projects that a test writes and runs."""

from __future__ import annotations

import pytest

from dq_pipelines_tests.pipeline.refused_orders import ONE, orders
from dq_pipelines_tests.workshop import Workshop


@pytest.fixture
def landed(shop: Workshop) -> Workshop:
    """A batch of orders with four refused rows."""
    orders(shop)
    shop.land("orders/a.csv", ONE)
    assert shop.run("orders").success
    assert shop.rows("silver/orders", "id") == [1]
    return shop
