"""Usage profiles on top of EN 16931: how an invoice names them, and which of their demands can be told from its columns.

Identifiers: Peppol BIS Billing 3.0 as in its own examples; XRechnung 3.0 as KoSIT's schematron asks for it. The rules are
those of the published schematron of each that ask for a term which EN 16931 leaves open; the others are not checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cbec.methods.compliance.invoices import Notice

CORE = "urn:cen.eu:en16931:2017"
_BILLING = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"


@dataclass(frozen=True)
class Profile:
    """identifier: BT-24; process: BT-23; wanted: rule -> columns of which one has to be told."""

    identifier: str
    process: str | None
    wanted: Mapping[str, tuple[str, ...]]


_ENDPOINTS = {"PEPPOL-EN16931-R010": ("buyer_endpoint",), "PEPPOL-EN16931-R020": ("seller_endpoint",)}
PROFILES = {
    "en16931": Profile(CORE, None, {}),
    "peppol": Profile(
        f"{CORE}#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
        _BILLING,
        {"PEPPOL-EN16931-R003": ("buyer_reference", "order_id"), **_ENDPOINTS},
    ),
    "xrechnung": Profile(
        f"{CORE}#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0",
        _BILLING,
        {
            "BR-DE-1": ("payment_means", "payment_account"),
            "BR-DE-3": ("seller_city",),
            "BR-DE-4": ("seller_postcode",),
            "BR-DE-5": ("seller_contact",),
            "BR-DE-6": ("seller_phone",),
            "BR-DE-7": ("seller_email",),
            "BR-DE-8": ("buyer_city",),
            "BR-DE-9": ("buyer_postcode",),
            "BR-DE-15": ("buyer_reference",),
            "BR-DE-16": ("seller_tax_id", "seller_tax_reference", "representative_tax_id"),
            **_ENDPOINTS,
        },
    ),
}


def lacking(head: Mapping[str, Any], profile: str) -> Iterator[Notice]:
    """What the profile asks for and the invoice does not tell. head: columns of the whole invoice."""
    for rule, columns in PROFILES[profile].wanted.items():
        if all(head.get(column) is None for column in columns):
            yield Notice(rule, f"{profile} asks for {' or '.join(columns)}", columns)
