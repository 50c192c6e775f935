"""Days on which orders can be placed: a supplier's calendar moves the order and sets the next review."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected
from cbec.methods.terms import supplied

if TYPE_CHECKING:
    from cbec.methods.protection import Clock
    from cbec.methods.terms import Terms

KEYS = ("supplier_id", "warehouse")


def suppliers(
    items: pl.DataFrame, products: pl.DataFrame | None, calendar: pl.DataFrame | None
) -> dict[str, list[str]]:
    """Suppliers whose order days are told, and those of the items: a day of any other counts for nothing."""
    if calendar is None:
        return {"told": [], "known": []}
    told, known = calendar["supplier_id"], supplied(items, products)["supplier_id"]
    return {name: ids.drop_nulls().unique().sort().to_list() for name, ids in (("told", told), ("known", known))}


def keep(
    terms: Terms, items: pl.DataFrame, suppliers: pl.DataFrame | None, calendar: pl.DataFrame | None, clock: Clock
) -> Terms:
    """The terms as the calendar allows them: the next order day from today on, and the gap to the one after it as review.

    An order has to last until the goods of the next order day arrive. Items without a calendar order any day. After its
    last day the policy's own review holds. Raises InputRejected where a calendar has no day left.
    """
    if calendar is None or calendar.is_empty():
        return terms
    named = supplied(items, suppliers)
    wait, gap = np.zeros(items.height), terms.review.copy()
    open_items = np.ones(items.height, bool)
    for on in (["supplier_id", "warehouse"], ["supplier_id"], ["warehouse"], []):  # the most specific first
        rows = calendar.filter(*(pl.col(k).is_not_null() if k in on else pl.col(k).is_null() for k in KEYS))
        if rows.is_empty():
            continue
        for key, part in rows.group_by(on, maintain_order=True) if on else [((), rows)]:
            fits = np.ones(items.height, bool)
            for name, value in zip(on, key, strict=True):
                fits &= (named[name] == value).fill_null(False).to_numpy()
            fits &= open_items
            if not fits.any():
                continue
            days = np.sort(clock.offset(part["order_date"]))
            days = days[days >= 0]
            if not days.size:
                whose = " at ".join(str(k) for k in key) or "all suppliers"
                raise InputRejected(
                    f"order_calendar: no order day of {whose} on or after {clock.today}",
                    hint="add the coming order days, or leave the supplier out of the calendar: then any day will do",
                )
            wait[fits] = days[0]
            if days.size > 1:
                gap[fits] = days[1] - days[0]
            open_items &= ~fits
    # Stock that is looked at all the time can still be ordered only on these days: the wait for the next one is a review.
    policy = np.where(open_items, terms.policy, np.where(terms.policy == "sS", "RsS", terms.policy)).astype("U20")
    return replace(terms, lead=terms.lead + wait, review=gap, wait=wait, policy=policy)
