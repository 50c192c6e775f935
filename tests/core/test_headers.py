"""Headers of exports that mean a price, and those that mean another one."""

from __future__ import annotations

import pytest

from cbec import tables
from cbec.core import header


@pytest.mark.parametrize("table", ["sales", "products", "prices", "order_lines"])
@pytest.mark.parametrize("word", ["售价", "销售价格", "销售单价", "产品售价", "Selling Price", "selling-price"])
def test_what_it_sells_for_is_its_price(table: str, word: str) -> None:
    found, _, extra = header.match(tables.get(table), {"export.csv": [word]})
    assert found.get("price") == [word] and not extra


@pytest.mark.parametrize(
    "word", ["原价", "成本价", "采购价", "item-price", "SKU Unit Original Price", "销售额", "订单金额"]
)
def test_other_prices_and_amounts_of_lines_are_not(word: str) -> None:
    # Amazon's item-price is of all units of the row; originals are before discounts.
    for table in ("sales", "order_lines", "prices"):
        assert "price" not in header.match(tables.get(table), {"export.csv": [word]})[0]


def test_costs_in_their_usual_words() -> None:
    for table in ("products", "inventory"):
        assert header.match(tables.get(table), {"e.csv": ["成本价"]})[0]["unit_cost"] == ["成本价"]
