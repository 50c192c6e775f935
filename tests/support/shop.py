"""Sales of three SKUs in two markets over 140 days, as rows and as CSV."""

from __future__ import annotations

import math
from datetime import date, timedelta

FIRST, DAYS = date(2026, 1, 5), 140


def sales_rows() -> list[tuple[date, str, str, int, float, str]]:
    rows = []
    for day in range(DAYS):
        when = FIRST + timedelta(days=day)
        for i, (sku, market) in enumerate((("007", "DE"), ("007", "FR"), ("A-1", "DE"))):
            level = (9, 4, 2)[i]
            units = round(level * (1 + 0.4 * math.sin(2 * math.pi * day / 7)) + (day * (i + 3)) % 3)
            rows.append((when, sku, market, units, 1234.5 if i == 2 else 9.95, "EUR"))
    return rows


def sales_csv(rows=None) -> str:
    lines = ["date,sku,market,units,price,currency"]
    lines += [f"{d},{s},{m},{u},{p},{c}" for d, s, m, u, p, c in (rows or sales_rows())]
    return "\n".join(lines) + "\n"
