"""Costs that stand beside the order lines, shared out to them: fees, returns, currency, storage, freight.

Every amount is converted first (fees and storage at the fixing of the payout, freight at that of its departure) and
shared out in whole home units, so that the parts add up to what the tables say:

- of an order (fees, refunds, currency): by the revenue of its lines; where it has none, by what they were charged
- of a settlement alone (advertising, subscriptions): over the orders it names, by revenue; where it names none, over
  the orders of its marketplace's other settlements, else over all lines
- storage: over the stock in the warehouses that served the settlement's orders, by volume; then over the markets where
  the SKU was sold from there, by pieces. Stock that was not sold bears its own part, under market `*`
- freight of a parcel (a shipment numbered like its order): by the chargeable weight of the order's lines
- fraud: what the decision on the order's payment is expected to cost, by the revenue of its lines
- freight into a warehouse: the rate per chargeable kg of the shipments there, on the lines that left it
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from cbec.methods.minor import micro
from cbec.methods.settle.allocate import share
from cbec.methods.settle.kinds import classify

if TYPE_CHECKING:
    from cbec.methods.settle.home import Home

NOWHERE = "*"
_DISPUTE = r"chargeback|charge ?back|dispute|拒付|争议"


class Settled(NamedTuple):
    """Settlement lines in home units. lines: sid (settlement and currency), order_id ("" = none), class, value (at the
    payout's fixing), moved (the same less the value at the order's day; sales and refunds of known orders).
    foreign: fees of orders that are not among the order lines, home units."""

    lines: pl.DataFrame
    foreign: int
    foreign_orders: int


def settled(settlements: pl.DataFrame, sales: pl.DataFrame, home: Home) -> Settled:
    """Bring settlement lines home. Payout, reserve and tax rows are no cost and are left out."""
    frame = classify(settlements).with_columns(
        amount=micro("amount"), day=pl.col("posted_at").cast(pl.Date), order_id=pl.col("order_id").fill_null("")
    )
    payday = pl.coalesce(pl.col("day").filter(pl.col("class") == "payout").max(), pl.col("day").max())
    frame = frame.with_columns(
        payday=payday.over("settlement_id", "currency"), sid=pl.format("{}|{}", "settlement_id", "currency")
    )
    frame = frame.filter(pl.col("class").is_in(["fee", "storage", "sale", "refund", "other"]))
    frame = frame.sort("sid", "order_id", "class", "amount", "day", "type", "description")
    ordered = sales.group_by("order_id").agg(ordered=pl.col("day").min())
    frame = frame.join(ordered, on="order_id", how="left", maintain_order="left")
    known = pl.col("ordered").is_not_null()
    frame = home.of(frame, "payday", value=pl.col("amount"))
    earned = pl.col("class").is_in(["sale", "refund"]) & known
    trade = home.of(frame.filter(earned), "ordered", then=pl.col("amount"))
    kept = ["sid", "marketplace", "order_id", "class", "value"]
    lines = pl.concat(
        [
            frame.filter(~earned).select(*kept, moved=pl.lit(0, pl.Int64), then=pl.lit(None, pl.Int64), known=known),
            trade.select(*kept, moved=pl.col("value") - pl.col("then"), then="then", known=pl.lit(True)),
        ]
    )
    strange = lines.filter(~pl.col("known"), pl.col("order_id") != "")
    fees = strange.filter(pl.col("class").is_in(["fee", "other"]))
    rest = lines.filter(pl.col("known") | (pl.col("order_id") == ""))
    return Settled(rest, -int(fees["value"].sum()), strange["order_id"].n_unique())


def of_orders(told: Settled, sales: pl.DataFrame) -> pl.DataFrame:
    """row, fees, returns, fx: what settlements say of single orders, shared out to their lines."""
    own = told.lines.filter(pl.col("order_id") != "")
    fees = (
        own.filter(pl.col("class").is_in(["fee", "other", "storage"]))
        .group_by("order_id")
        .agg(amount=-pl.col("value").sum())
    )
    fx = own.group_by("order_id").agg(amount=pl.col("moved").sum())
    # Refunds that the order lines tell themselves are not counted again.
    reversed_ = sales.group_by("order_id").agg(
        told=(pl.col("back") > 0).any(),
        net=pl.col("revenue").sum(),
        gross=pl.col("gross").filter(pl.col("back") == 0).sum(),
    )
    back = own.filter(pl.col("class") == "refund").group_by("order_id").agg(given=-pl.col("then").sum())
    back = back.join(reversed_, on="order_id").filter(~pl.col("told"), pl.col("given") != 0)
    # The refund holds the tax that the price held.
    part = (
        pl.when(pl.col("gross") != 0)
        .then(pl.col("given").cast(pl.Int128) * pl.col("net") / pl.col("gross"))
        .otherwise("given")
    )
    back = back.select("order_id", amount=part.round(0, mode="half_away_from_zero").cast(pl.Int64))
    weights = _by_revenue(sales, "order_id")
    made = sales.select("row")
    for name, amounts in (("fees", fees), ("fx", fx), ("returns", back)):
        parts = share(weights, amounts, "order_id").select("row", pl.col("part").alias(name))
        made = made.join(parts, on="row", how="left", maintain_order="left")
    return made.fill_null(0)


def _by_revenue(sales: pl.DataFrame, *group: str) -> pl.DataFrame:
    """Lines sold weigh by revenue; an order of refunds alone by what it gives back."""
    sold = (pl.col("back") == 0).any().over("order_id")
    weight = pl.when(sold).then(pl.col("revenue")).otherwise("returns").clip(lower_bound=0)
    return sales.filter((pl.col("back") == 0) | ~sold).select(*group, "row", weight=weight)


def of_settlements(told: Settled, sales: pl.DataFrame, kinds: list[str]) -> pl.DataFrame:
    """row, part: costs of settlements alone (classes `kinds`), shared out over the orders they are about; row -1 where
    there is no order line at all."""
    loose = told.lines.filter(pl.col("order_id") == "", pl.col("class").is_in(kinds))
    named = told.lines.filter(pl.col("order_id") != "").select("sid", "marketplace", "order_id").unique()
    weights = _by_revenue(sales, "order_id")
    parts: list[pl.DataFrame] = []
    for by in ("sid", "marketplace"):
        orders = named.select(by, "order_id").unique().drop_nulls(by)
        amounts = loose.drop_nulls(by).group_by(by).agg(amount=-pl.col("value").sum())
        lines = orders.join(amounts.select(by), on=by, how="semi").join(weights, on="order_id")
        parts.append(share(lines.select(by, "row", "weight"), amounts, by).select("row", "part"))
        loose = loose.join(lines.select(by).unique(), on=by, how="anti")
    rest = pl.DataFrame(
        {"all": [0], "amount": [-int(loose["value"].sum())]}, schema={"all": pl.Int64, "amount": pl.Int64}
    )
    if weights.is_empty():
        parts.append(rest.select(row=pl.lit(-1, pl.Int64), part="amount"))
    every = weights.select("row", "weight", all=pl.lit(0, pl.Int64))
    parts.append(share(every, rest, "all").select("row", "part"))
    return pl.concat(parts).group_by("row").agg(pl.col("part").sum()).sort("row")


def storage(
    told: Settled, sales: pl.DataFrame, inventory: pl.DataFrame, products: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Storage by stock: (row, part) for what was sold from the warehouses, (sku, part) for what was not.

    The stock of a settlement is that in the warehouses from which its orders left; where these are not known, all stock.
    """
    loose = told.lines.filter(pl.col("order_id") == "", pl.col("class") == "storage")
    amounts = loose.group_by("sid").agg(amount=-pl.col("value").sum()).sort("sid")
    from_ = told.lines.filter(pl.col("order_id") != "").select("sid", "order_id").unique()
    used = (
        from_.join(sales.select("order_id", "warehouse"), on="order_id")
        .drop_nulls("warehouse")
        .select("sid", "warehouse")
        .unique()
    )
    volume = pl.col("length_cm") * pl.col("width_cm") * pl.col("height_cm")
    sizes = products.select("sku", size=volume)
    stock = inventory.filter(pl.col("on_hand") > 0).join(sizes, on="sku", how="left")
    # Where a size is not known, every piece counts as the middle one.
    median = stock["size"].median()
    middle = median if isinstance(median, float) and median > 0 else 1000.0
    stock = stock.with_columns(weight=(pl.col("on_hand") * pl.col("size").fill_null(middle)).round(0).cast(pl.Int64))
    stock = (
        stock.group_by("sku", "warehouse").agg(pl.col("weight").sum()).sort("sku", "warehouse").with_row_index("row")
    )
    stock = stock.with_columns(pl.col("row").cast(pl.Int64))
    known = amounts.join(used, on="sid").join(stock, on="warehouse").select("sid", "row", "weight")
    blind = amounts.join(known.select("sid").unique(), on="sid", how="anti")
    blind = blind.select(sid=pl.lit("*"), amount=pl.col("amount").sum()).unique()
    anywhere = stock.select(pl.lit("*").alias("sid"), "row", "weight")
    parts = pl.concat([share(known, amounts, "sid"), share(anywhere, blind, "sid")])
    per = parts.group_by("row").agg(amount=pl.col("part").sum()).join(stock.select("row", "sku", "warehouse"), on="row")
    sold = sales.filter(pl.col("sold") > 0).select("sku", "warehouse", "row", weight="sold")
    here = share(sold, per.select("sku", "warehouse", "amount"), ["sku", "warehouse"]).select("row", "part")
    rest = per.join(sold.select("sku", "warehouse").unique(), on=["sku", "warehouse"], how="anti")
    return here, rest.group_by("sku").agg(part=pl.col("amount").sum()).sort("sku")


class Fraud(NamedTuple):
    """row, part; how many orders of the lines were scored; of these, whose settlement tells a dispute already."""

    parts: pl.DataFrame
    orders: int
    disputed: int


def fraud(scores: pl.DataFrame, settlements: pl.DataFrame | None, sales: pl.DataFrame, home: Home) -> Fraud:
    """Expected cost of what was decided on the payments of each order, by the revenue of its lines.

    It ends where the dispute has come: an order whose settlement has a chargeback is not reckoned with twice.
    """
    own = scores.filter(pl.col("order_id").is_in(sales["order_id"].unique().sort().implode()))
    own = own.with_columns(pl.col("currency").fill_null(home.currency), day=pl.col("time").cast(pl.Date))
    own = home.of(own.sort("transaction_id"), "day", amount=(pl.col("cost") * 1e6).round(0).cast(pl.Int64))
    told = own.group_by("order_id").agg(pl.col("amount").sum())
    disputed = told.clear()
    if settlements is not None:
        words = pl.concat_str(pl.col("type", "description").fill_null(""), separator=" ").str.to_lowercase()
        came = settlements.filter(words.str.contains(_DISPUTE)).select("order_id").unique()
        disputed = told.join(came, on="order_id", how="semi")
    amounts = told.with_columns(
        amount=pl.when(pl.col("order_id").is_in(disputed["order_id"].implode())).then(0).otherwise("amount")
    )
    parts = share(_by_revenue(sales, "order_id"), amounts, "order_id").select("row", "part")
    return Fraud(parts, told.height, disputed.height)


class Freight(NamedTuple):
    """row, part, and which lines were told; the freight of all options in home units, and that of parcels."""

    parts: pl.DataFrame
    total: int
    parcels: int


def freight(
    options: pl.DataFrame, shipments: pl.DataFrame | None, sales: pl.DataFrame, home: Home, divisor: float, as_of: date
) -> Freight:
    """What the best option of each shipment costs in cash: freight, surcharges and handling (not capital or lateness).

    A shipment numbered like an order is that order's parcel. The others bear on the lines that left the warehouse they go
    to (destination in `shipments`): chargeable weight of the line x freight per chargeable kg of all of them.
    """
    best = (
        options.filter(pl.col("option_rank") >= 1)
        .sort("shipment_id", "option_rank")
        .unique("shipment_id", keep="first", maintain_order=True)
    )
    cash = pl.sum_horizontal(pl.col(name).fill_null(0.0) for name in ("freight", "surcharges", "handling"))
    best = best.with_columns(
        pl.col("currency").fill_null(home.currency),
        day=pl.min_horizontal(pl.col("depart").fill_null(as_of), pl.lit(as_of)),
    )
    best = home.of(best, "day", amount=(cash * 1e6).round(0).cast(pl.Int64)).select("shipment_id", "amount")
    sold = sales.filter(pl.col("sold") > 0)
    parcels = share(sold.select(shipment_id="order_id", row="row", weight="kg"), best, "shipment_id").select(
        "row", "part"
    )
    own = best.join(sold.select(shipment_id="order_id").unique(), on="shipment_id", how="semi")
    parts = [parcels]
    if shipments is not None:
        bulk = best.join(own, on="shipment_id", how="anti").join(
            shipments.select("shipment_id", "destination", "weight_kg", "volume_m3"), on="shipment_id"
        )
        charged = pl.max_horizontal(pl.col("weight_kg"), pl.col("volume_m3") * 1e6 / divisor) * 1000
        rates = (
            bulk.group_by("destination")
            .agg(pl.col("amount").sum(), grams=charged.round(0).sum())
            .filter(pl.col("grams") > 0)
        )
        lines = sold.join(parcels.select("row"), on="row", how="anti").join(
            rates, left_on="warehouse", right_on="destination"
        )
        part = (pl.col("kg") * pl.col("amount") / pl.col("grams")).round(0, mode="half_away_from_zero").cast(pl.Int64)
        parts.append(lines.select("row", part=part))
    return Freight(pl.concat(parts).sort("row"), int(best["amount"].sum()), int(own["amount"].sum()))
