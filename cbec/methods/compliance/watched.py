"""The turnover of order lines that counts towards each registration threshold, and the table registration_watch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.core import reasons
from cbec.core.command import Finding
from cbec.core.words import of
from cbec.methods.compliance import filing_lines, registered
from cbec.methods.compliance.filing_rates import conversions, rounded
from cbec.methods.compliance.watch import Verdict, verdict

if TYPE_CHECKING:
    from cbec.methods.compliance.filing_lines import Places
    from cbec.methods.compliance.filing_rules import RegistrationRule
    from cbec.methods.compliance.rules import Pack

MONEY = pl.Decimal(38, 6)
EXPORT = "export"
SCHEMA: dict[str, Any] = {
    "rule_id": pl.String, "jurisdiction": pl.String, "scheme": pl.String, "seller_country": pl.String, "established": pl.Boolean,
    "verdict": pl.String, "threshold": MONEY, "currency": pl.String, "window_from": pl.Date, "window_to": pl.Date, "turnover": MONEY,
    "share": pl.Float64, "ahead": MONEY, "crossed_on": pl.Date, "projected_on": pl.Date, "register_by": pl.Date, "lines": pl.Int64,
    "number": pl.String, "citation": pl.String, "reason_code": pl.String,
}  # fmt: skip


def table(
    order_lines: pl.DataFrame,
    packs: Sequence[Pack],
    rules: Sequence[RegistrationRule],
    as_of: date,
    tax: pl.DataFrame | None = None,
    registrations: pl.DataFrame | None = None,
    rates: pl.DataFrame | None = None,
    language: str = "en",
) -> pl.DataFrame:
    """A row for each threshold and country of the seller with sales that count towards it.

    Turnover is the tax base of the table tax less the duty in it, else quantity times price with shipping and insurance as
    charged. Raises
    UsageFault and InputRejected where amounts cannot be told in the currency of a threshold.
    """
    where = filing_lines.places(packs)
    lines = _lines(order_lines, tax, where)
    held = [] if registrations is None else registrations.to_dicts()
    rows = []
    for rule in rules:
        countries = where.countries(rule.place)
        own = _counting(lines, rule, countries)
        for seller in sorted({s or "" for s in own["seller_country"].to_list()}):
            home = where.country.get(seller, seller)
            established = home in countries
            part = own.filter(pl.col("seller_country").fill_null("") == seller)
            if rule.seller != "any" and established != (rule.seller == "established") and seller:
                if not (established and rule.elsewhere):
                    continue
                part = part.filter(pl.col("from_country") != home)
            if rule.from_home:
                part = part.filter(pl.col("from_country") == home)
            part = _small(part, rule, rates)
            if part.is_empty():
                continue
            rows.append(_row(rule, seller, established, part, lines, countries, held, as_of, tax is not None, rates))
    return reasons.render(pl.DataFrame(rows, schema=SCHEMA), language)


def _lines(order_lines: pl.DataFrame, tax: pl.DataFrame | None, where: Places) -> pl.DataFrame:
    """Lines with a date: countries, movement, and `value` (turnover) in their own currency."""
    lines = order_lines.filter(pl.col("date").is_not_null() & pl.col("ship_to").is_not_null())
    base = pl.lit(None, MONEY)
    if tax is not None:
        known = tax.select(
            "order_id", "line", "tax_base", "duty", "customs_value", collector="collected_by", worth="intrinsic_value", by="scheme"
        )  # fmt: skip
        lines = lines.join(known, on=["order_id", "line"], how="left", maintain_order="left")
        # The base of the IOSS holds no flat duty.
        net = pl.when(pl.col("by") == "IOSS").then("customs_value")
        base = net.otherwise(pl.col("tax_base") - pl.col("duty").fill_null(0))
    else:
        lines = lines.with_columns(pl.lit(None, pl.String).alias("collector"), pl.lit(None, MONEY).alias("worth"))
    sign = pl.when(pl.col("qty") < 0).then(-1).otherwise(1)
    charges = (pl.col("shipping").fill_null(0) + pl.col("insurance").fill_null(0)) * sign
    told = (pl.col("qty") * pl.col("price") + charges).cast(MONEY)
    blocks = {country: name for name, members in where.of.items() if len(members) > 1 for country in members}
    lines = lines.with_columns(
        pl.col("ship_to").replace(where.country).alias("country"),
        pl.col("ship_from").replace(where.country).alias("from_country"),
        pl.col("seller_country").replace(where.country).alias("home"),
        pl.coalesce(base, told).alias("value"),
        pl.coalesce("worth", pl.col("qty") * pl.col("price")).cast(MONEY).alias("worth"),
        (base.is_null() & pl.col("price_includes_tax").fill_null(False)).alias("gross"),
    )
    block = pl.col("country").replace_strict(blocks, default=None, return_dtype=pl.String)
    other = pl.col("from_country").replace_strict(blocks, default=None, return_dtype=pl.String)
    movement = (
        pl.when(pl.col("from_country") == pl.col("country"))
        .then(pl.lit("domestic"))
        .when((block == other).fill_null(False))
        .then(pl.lit("intra"))
        .when(pl.col("from_country").is_not_null())
        .then(pl.lit("import"))
    )
    return lines.with_columns(movement.alias("movement")).drop_nulls("value")


def _counting(lines: pl.DataFrame, rule: RegistrationRule, countries: frozenset[str]) -> pl.DataFrame:
    """The lines of a kind that counts; sales that the marketplace accounts for do so as exports alone.

    An export is what a seller established in the place sends out of it, whoever collects tax at its destination.
    """
    inside = sorted(countries)
    counts = pl.col("country").is_in(inside) & pl.col("movement").is_in(rule.movement)
    counts &= ~pl.col("marketplace_collects").fill_null(False)
    buyer = pl.col("buyer_type").fill_null("B2C")
    if rule.buyer:
        counts &= buyer.is_in(rule.buyer)
    if rule.import_buyer:
        counts &= (pl.col("movement") != "import") | buyer.is_in(rule.import_buyer)
    if rule.collected_by:
        counts &= pl.col("collector").is_null() | pl.col("collector").is_in(rule.collected_by)
    if EXPORT in rule.movement:
        out = pl.col("from_country").is_in(inside) & ~pl.col("country").is_in(inside) & pl.col("home").is_in(inside)
        lines = lines.with_columns(pl.when(out).then(pl.lit(EXPORT)).otherwise("movement").alias("movement"))
        counts = counts.fill_null(False) | out
    return lines.filter(counts.fill_null(False))


def _small(part: pl.DataFrame, rule: RegistrationRule, rates: pl.DataFrame | None) -> pl.DataFrame:
    """Lines without imports whose piece (or consignment) is worth more than the rule's limit, without tax where known.

    A refund goes with its sale by what a piece of it is worth; a consignment is what the order sent, refunds aside.
    """
    if rule.item_limit is None or part.is_empty():
        return part
    pairs = part.select("currency", "date").unique().drop_nulls().rows()
    factors = conversions([(c, rule.currency, d, False) for c, d in pairs], rates)
    sent: dict[tuple[str, str, str], Decimal] = {}
    told = part.select("order_id", "from_country", "country", "qty", "worth", "currency", "date", "movement").rows()
    if rule.per_consignment:
        for order, source, target, qty, worth, currency, day, _ in told:
            if worth is not None and currency is not None and qty > 0:
                way = (order, source, target)
                sent[way] = sent.get(way, Decimal(0)) + worth * factors[currency, rule.currency, day]
    keep = []
    for order, source, target, qty, worth, currency, day, movement in told:
        known = worth is not None and currency is not None and qty
        piece = worth / qty * factors[currency, rule.currency, day] if known else None
        own = sent.get((order, source, target), piece) if rule.per_consignment else piece
        within = own is not None and (own <= rule.item_limit if rule.item_inclusive else own < rule.item_limit)
        keep.append(movement != "import" or within)
    return part.filter(pl.Series(keep, dtype=pl.Boolean))


def _daily(part: pl.DataFrame, currency: str, rates: pl.DataFrame | None) -> dict[date, Decimal]:
    """Turnover by day in one currency."""
    sums = part.drop_nulls("currency").group_by("date", "currency").agg(pl.col("value").sum()).sort("date", "currency")
    factors = conversions([(c, currency, d, False) for d, c, _ in sums.iter_rows()], rates)
    found: dict[date, Decimal] = {}
    for day, own, value in sums.iter_rows():
        found[day] = found.get(day, Decimal(0)) + value * factors[own, currency, day]
    return found


def _row(
    rule: RegistrationRule,
    seller: str,
    established: bool,
    part: pl.DataFrame,
    lines: pl.DataFrame,
    countries: frozenset[str],
    held: Sequence[dict[str, Any]],
    as_of: date,
    taxed: bool,
    rates: pl.DataFrame | None,
) -> dict[str, Any]:
    told = verdict(rule, _daily(part, rule.currency, rates), as_of)
    word, reason = told.word, f"watch_{told.word}"
    if word == "must_register" and told.threshold == 0:
        reason = "watch_first_sale"
    if rule.worldwide is not None and word == "must_register":
        everywhere = lines.filter(
            (pl.col("seller_country").fill_null("") == seller) & (pl.col("date") >= told.window_from)
        )
        if sum(_daily(everywhere, rule.currency, rates).values(), Decimal(0)) <= rule.worldwide:
            word, reason = "below", "watch_worldwide"
    if rule.collected_by and not taxed:
        word, reason = "unknown", "watch_needs_tax"
    elif not seller and rule.seller != "any":
        word, reason = "unknown", "watch_no_seller"
    registration = registered.find(held, rule.scheme, countries, as_of, as_of)
    number = None if registration is None else registration.get("number")
    if registration is not None:
        word, reason = "registered", "watch_registered"
    last_day = told.register_by if word == "must_register" else None
    if last_day is not None:
        reason += "_by"
    return {
        "rule_id": rule.id, "jurisdiction": rule.place, "scheme": rule.scheme, "seller_country": seller or None, "established": established,
        "verdict": word, "threshold": told.threshold, "currency": rule.currency, "window_from": told.window_from, "window_to": as_of,
        "turnover": rounded(told.turnover, rule.currency), "share": told.share, "ahead": _cents(told, rule),
        "crossed_on": told.crossed_on, "projected_on": told.projected_on,
        "register_by": last_day, "lines": part.height, "number": number or None,
        "citation": rule.citation, "reason_code": reason,
    }  # fmt: skip


def _cents(told: Verdict, rule: RegistrationRule) -> Decimal | None:
    return None if told.ahead is None else rounded(told.ahead, rule.currency)


NEAR = 0.8
"""Share of a threshold from which a person is told, whatever the pace."""


def findings(watch: pl.DataFrame) -> list[Finding]:
    """Registrations that are due (high), expected within a year, near (four fifths used) or not to be judged (warn)."""
    found = []
    levels = {"must_register": "high", "expected": "warn", "unknown": "warn", "near": "warn"}
    near = (pl.col("verdict") == "below") & (pl.col("share") >= NEAR).fill_null(False)
    told = watch.with_columns(pl.when(near).then(pl.lit("near")).otherwise("verdict").alias("verdict"))
    for row in told.filter(pl.col("verdict").is_in(list(levels))).to_dicts():
        name = f"register:{row['rule_id']}:{row['seller_country'] or '-'}"
        found.append(
            Finding(name, levels[row["verdict"]], row["rule_id"], row["verdict"], row["reason"], float(row["turnover"]), row["currency"])
        )  # fmt: skip
    return found


def stock(
    order_lines: pl.DataFrame, packs: Sequence[Pack], registrations: pl.DataFrame | None, as_of: date
) -> list[Finding]:
    """Member states of the Union from which a seller of another country sends goods without a registration there (high).

    Stock in a state has to be registered there, whatever is sold and whoever accounts for it (Zmartly, "Amazon seller
    EU VAT registration", 7 April 2026: "an immediate obligation to be VAT registered there, with no sales threshold to
    cross first"; Avalara on Amazon warehouses: "You will need to immediately VAT register in the country of the
    warehouse").
    """
    where = filing_lines.places(packs)
    union = sorted(where.countries("EU"))
    told = order_lines.select(
        "order_id",
        "seller_country",
        pl.col("ship_from").replace(where.country).alias("state"),
        pl.col("seller_country").replace(where.country).alias("home"),
    ).filter(pl.col("state").is_in(union) & pl.col("home").is_not_null() & (pl.col("home") != pl.col("state")))
    rows = told.group_by("state", "seller_country").agg(pl.len(), pl.col("order_id").min())
    held = [] if registrations is None else registrations.to_dicts()
    return [
        Finding(
            f"stock:{state}:{seller}",
            "high",
            state,
            "stock_unregistered",
            f"{of(lines, 'line')} of a seller in {seller} left {state}, e.g. order {order}, and no VAT "
            f"registration there is told: stock in a member state has to be registered there, whatever is sold",
        )
        for state, seller, lines, order in rows.sort("state", "seller_country").iter_rows()
        if registered.find(held, "VAT", (state,), as_of, as_of) is None
    ]


def through_marketplaces(order_lines: pl.DataFrame, registrations: pl.DataFrame | None, as_of: date) -> list[Finding]:
    """Goods that a seller from abroad sells within the United Kingdom through a marketplace, without a registration (warn).

    The marketplace accounts for the tax, and the seller's supply to it is zero-rated: it registers all the same, or asks
    for exemption (HMRC, VAT Registration Manual, VATREG37250: "a person who makes only zero-rated supplies in the UK
    [...] can apply for exemption from registration"; "Overseas businesses that import goods into the UK, which are then
    sold to non-business customers using an online marketplace, can request exemption").
    """
    away = (pl.col("seller_country") != "GB") & (pl.col("ship_from") == "GB") & (pl.col("ship_to") == "GB")
    own = order_lines.filter((away & pl.col("marketplace_collects")).fill_null(False))
    held = [] if registrations is None else registrations.to_dicts()
    if own.is_empty() or registered.find(held, "VAT", ("GB",), as_of, as_of) is not None:
        return []
    rows = own.group_by("seller_country").agg(pl.len(), pl.col("order_id").min()).sort("seller_country")
    return [
        Finding(
            f"zero_rated:GB:{seller}",
            "warn",
            "GB",
            "zero_rated_to_marketplace",
            f"{of(lines, 'line')} of a seller in {seller} sold within GB through a marketplace, e.g. order {order}: its supply to the "
            "marketplace is zero-rated, so it has to register or to ask for exemption",
        )
        for seller, lines, order in rows.iter_rows()
    ]


def metrics(watch: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Thresholds by verdict, and the nearest last day to register."""
    counts = dict(watch.group_by("verdict").len().iter_rows())
    told: dict[str, float | int | str | None] = {"thresholds": watch.height}
    told |= {word: counts.get(word, 0) for word in ("must_register", "expected", "below", "registered", "unknown")}
    first = watch["register_by"].drop_nulls().min()
    told["register_by"] = str(first) if first is not None else None
    return told


def notes(order_lines: pl.DataFrame, tax: pl.DataFrame | None, as_of: date) -> list[str]:
    """What was taken for granted."""
    found = ["thresholds of places without a sourced value are not watched: nothing said of a country is no clearance"]
    first = order_lines["date"].min()
    if isinstance(first, date) and (as_of - first).days < 365:
        found.append(f"the order lines begin on {first}: sales before it are not in any window")
    gross = order_lines.filter(pl.col("price_includes_tax").fill_null(False)).height
    if tax is None and gross:
        found.append(
            f"{of(gross, 'price', 'include')} tax and count with it: give --tax, so that turnover is without tax"
        )
    return found
