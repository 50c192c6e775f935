"""A small shop as files: sales, stock, policies, coverage, products, order lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.shop import sales_csv


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with sales.csv, inventory.csv, policies.csv, coverage.csv, products.csv, order_lines.csv."""
    (tmp_path / "sales.csv").write_text(sales_csv(), "utf-8")
    (tmp_path / "inventory.csv").write_text("sku,warehouse,on_hand\n007,DEHAM,40\nA-1,DEHAM,300\n", "utf-8")
    (tmp_path / "policies.csv").write_text("lead_time_days,review_days,service_level,pack_size\n14,7,0.95,5\n", "utf-8")
    (tmp_path / "coverage.csv").write_text("market,warehouse,share\nDE,DEHAM,1\nFR,DEHAM,1\n", "utf-8")
    (tmp_path / "products.csv").write_text(
        "sku,unit_cost,price,currency,hs_code\n007,4,9.95,EUR,0101210000\nA-1,500,1234.5,EUR,9503000000\n", "utf-8"
    )
    (tmp_path / "order_lines.csv").write_text(
        "order_id,line,sku,qty,date,price,currency,ship_from,ship_to,seller_country,scheme,hs_code\n"
        "0001,1,007,2,2026-05-04,10.00,EUR,CN,DE,CN,IOSS,0101210000\n"
        "0002,1,A-1,1,2026-05-05,20.00,GBP,CN,GB,CN,UK_VAT,9503000000\n",
        "utf-8",
    )
    return tmp_path
