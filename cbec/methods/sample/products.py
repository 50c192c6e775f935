"""The item master."""

from __future__ import annotations

from cbec.methods.sample.company import Company, Family
from cbec.tables.demand import products


def family(company: Company) -> Family:
    """The table `products`."""
    columns = [name for name in products.names if name in company.items.columns]
    zeros = company.items.filter(company.items["sku"].str.starts_with("0"))["sku"]
    return Family(
        {"products": company.items.select(columns).sort("sku")}, {"skus_with_leading_zeros": zeros.sort().to_list()}
    )
