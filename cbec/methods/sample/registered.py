"""Where the seller is registered for tax, and the tax on its purchases that returns reclaim."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.sample.company import Family

if TYPE_CHECKING:
    from cbec.methods.sample.company import Company

SINCE = date(2024, 1, 1)
NUMBERS = (
    ("OSS", "DE", "DE136695976"),
    ("IOSS", "DE", "IM2760000423"),
    ("VAT", "DE", "DE136695976"),
    ("VAT", "GB", "GB980780684"),
    ("VOEC", "NO", "VOEC2024001"),
)
"""Made-up registrations; nothing is sold to Norway, so that its return is nil."""
BOUGHT = (
    ("PIVA-2026-07", date(2026, 7, 31), "import_postponed", "2140.00", "428.00"),
    ("PIVA-2026-08", date(2026, 8, 31), "import_postponed", "1875.50", "375.10"),
    ("PIVA-2026-09", date(2026, 9, 30), "import_postponed", "2304.25", "460.85"),
    ("FXT-0709", date(2026, 7, 9), "purchase", "640.00", "128.00"),
    ("FXT-0909", date(2026, 9, 9), "purchase", "655.00", "131.00"),
)
"""Monthly statements of postponed import VAT, and two bills of the warehouse in Felixstowe."""


def family(_company: Company) -> Family:
    """The tables `registrations` and `purchase_tax`; nothing in them is drawn."""
    schemes, countries, numbers = zip(*NUMBERS, strict=True)
    held = pl.DataFrame(
        {"scheme": schemes, "country": countries, "number": numbers, "valid_from": [SINCE] * len(NUMBERS)}
    )
    bought = pl.DataFrame(
        {
            "document": [row[0] for row in BOUGHT],
            "date": [row[1] for row in BOUGHT],
            "country": ["GB"] * len(BOUGHT),
            "kind": [row[2] for row in BOUGHT],
            "net": [Decimal(row[3]) for row in BOUGHT],
            "tax": [Decimal(row[4]) for row in BOUGHT],
            "currency": ["GBP"] * len(BOUGHT),
        }
    )
    total = sum((Decimal(tax) for *_, tax in BOUGHT), Decimal(0))
    postponed = sum((Decimal(tax) for _, _, kind, _, tax in BOUGHT if kind == "import_postponed"), Decimal(0))
    truths = {
        "nil_return": "no.return.voec 2026-Q3",
        "gb_box_4": float(total),
        "gb_postponed": float(postponed),
        "corrected_month": "2026-08",
    }
    return Family({"registrations": held, "purchase_tax": bought}, {"filing": truths})
