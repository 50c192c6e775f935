"""Landed profit: order lines, and every cost that a table tells, added up per SKU and market."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import polars as pl

from cbec.core.command import Finding
from cbec.core.words import of
from cbec.methods.settle import costs, sales
from cbec.methods.settle.costs import NOWHERE
from cbec.methods.settle.home import Home, currency_of

KINDS = ("revenue", "goods", "freight", "duty", "tax", "fees", "storage", "returns", "fraud", "fx")
MILLION = 1_000_000


class Tables(NamedTuple):
    """The inputs; None = not given."""

    order_lines: pl.DataFrame
    products: pl.DataFrame
    tax: pl.DataFrame | None
    options: pl.DataFrame | None
    shipments: pl.DataFrame | None
    settlements: pl.DataFrame | None
    inventory: pl.DataFrame | None
    scores: pl.DataFrame | None
    rates: pl.DataFrame | None


class Landed(NamedTuple):
    """lines: per order line and for costs of none, home units, with no_<kind> where no table tells; home; metrics and
    notes on what could not be placed."""

    lines: pl.DataFrame
    home: Home
    metrics: dict[str, float | int | str | None]
    notes: list[str]


def compute(tables: Tables, terms: sales.Terms, home_currency: str | None, as_of: date) -> Landed:
    """Every amount of every line in home units. Raises UsageFault and InputRejected where a rate is missing."""
    home = Home(_home(tables, home_currency), tables.rates)
    frame = sales.lines(tables.order_lines, tables.products, tables.inventory, tables.tax, home, terms, as_of)
    zero = pl.lit(0, pl.Int64)
    frame = frame.with_columns(freight=zero, fees=zero, storage=zero, fraud=zero, fx=zero, no_freight=pl.lit(True))
    metrics: dict[str, float | int | str | None] = {}
    notes: list[str] = []
    extra: list[pl.DataFrame] = []
    if tables.options is not None:
        frame = _with_freight(frame, tables, home, terms.divisor, as_of, metrics, notes)
    if tables.settlements is None:
        foreign = pl.col("currency") != home.currency
        silent = pl.lit(int(frame["back"].sum()) == 0)
        frame = frame.with_columns(
            no_fees=pl.lit(True), no_storage=pl.lit(True), no_fx=foreign, no_returns=silent & (pl.col("sold") > 0)
        )
    else:
        frame = _with_settlements(frame, tables, home, extra, metrics, notes)
    frame = _with_fraud(frame, tables, home, metrics)
    return Landed(pl.concat([frame, *extra], how="diagonal_relaxed"), home, metrics, notes)


def _home(tables: Tables, home: str | None) -> str:
    columns = [tables.order_lines["currency"], tables.products["currency"]]
    columns += [t["currency"] for t in (tables.settlements, tables.options) if t is not None]
    return currency_of(home, *columns)


def _with_freight(
    frame: pl.DataFrame,
    tables: Tables,
    home: Home,
    divisor: float,
    as_of: date,
    metrics: dict[str, float | int | str | None],
    notes: list[str],
) -> pl.DataFrame:
    assert tables.options is not None
    told = costs.freight(tables.options, tables.shipments, frame, home, divisor, as_of)
    metrics["freight_of_options"] = _amount(told.total, home)
    metrics["freight_on_goods_sold"] = _amount(int(told.parts["part"].sum()), home)
    if told.total != told.parcels:
        notes.append(
            f"freight into warehouses: {_amount(told.total - told.parcels, home):,.2f} {home.currency} for the shipments of the table,"
            " borne per chargeable kg by the pieces sold from there; the rest is borne by the stock"
            if tables.shipments is not None
            else "shipments that are no parcel of an order are not placed: give --shipments, which says where they go"
        )
    frame = frame.drop("freight", "no_freight").join(told.parts.select("row", freight="part"), on="row", how="left")
    lacks = (pl.col("freight").is_null() | pl.col("no_kg")) & (pl.col("sold") > 0)
    return frame.with_columns(freight=pl.col("freight").fill_null(0), no_freight=lacks).sort("row")


def _with_settlements(
    frame: pl.DataFrame,
    tables: Tables,
    home: Home,
    extra: list[pl.DataFrame],
    metrics: dict[str, float | int | str | None],
    notes: list[str],
) -> pl.DataFrame:
    assert tables.settlements is not None
    told = costs.settled(tables.settlements, frame, home)
    of_orders = costs.of_orders(told, frame)
    loose = costs.of_settlements(told, frame, ["fee", "other"])
    frame = frame.drop("fees", "fx", "storage").join(of_orders, on="row", suffix="_told", maintain_order="left")
    frame = frame.join(loose.select("row", loose="part"), on="row", how="left", maintain_order="left")
    parts, idle = _storage(told, frame, tables)
    frame = frame.join(
        parts.group_by("row").agg(storage=pl.col("part").sum()), on="row", how="left", maintain_order="left"
    )
    kept = told.lines.filter(pl.col("class") == "storage").height > 0
    settled_ = told.lines.filter(pl.col("order_id") != "")["order_id"].unique()
    open_ = ~pl.col("order_id").is_in(settled_.implode())
    frame = frame.with_columns(
        fees=pl.col("fees") + pl.col("loose").fill_null(0),
        returns=pl.col("returns") + pl.col("returns_told"),
        storage=pl.col("storage").fill_null(0),
        no_fees=open_,
        no_storage=pl.lit(not kept),
        no_fx=open_ & (pl.col("currency") != home.currency),
        no_returns=pl.lit(False),
    ).drop("loose", "returns_told")
    extra += [_row(fees=part) for row, part in loose.iter_rows() if row < 0 and part]
    extra += [_row(storage=part) for row, part in parts.iter_rows() if row < 0 and part]
    extra += [_row(sku=sku, storage=part) for sku, part in idle.iter_rows() if part]
    if told.foreign_orders:
        metrics["fees_of_other_orders"] = _amount(told.foreign, home)
        notes.append(
            f"settlements name {of(told.foreign_orders, 'order')} beside those of the order lines; fees of"
            f" {_amount(told.foreign, home):,.2f} {home.currency} are left out, as is that revenue"
        )
    strange = told.lines.filter(pl.col("class") == "other").height
    if strange:
        notes.append(
            f"{of(strange, 'line')} of settlements {'is' if strange == 1 else 'are'} of a type that is not known: counted as fees"
        )
    return frame


def _with_fraud(
    frame: pl.DataFrame, tables: Tables, home: Home, metrics: dict[str, float | int | str | None]
) -> pl.DataFrame:
    """What the payments' decisions are expected to cost. An order that a marketplace or payment service settled and
    nobody scored bears none: what went wrong with it is in the settlement."""
    settled = set() if tables.settlements is None else set(tables.settlements["order_id"].drop_nulls())
    unknown = ~pl.col("order_id").is_in(sorted(settled)) & (pl.col("sold") > 0)
    if tables.scores is None:
        return frame.with_columns(no_fraud=unknown)
    told = costs.fraud(tables.scores, tables.settlements, frame, home)
    metrics["fraud_scored_orders"] = told.orders
    metrics["fraud_told_by_settlement"] = told.disputed
    frame = frame.drop("fraud").join(
        told.parts.select("row", fraud="part"), on="row", how="left", maintain_order="left"
    )
    frame = frame.with_columns(no_fraud=unknown & pl.col("fraud").is_null(), fraud=pl.col("fraud").fill_null(0))
    return frame.sort("row")


def _storage(told: costs.Settled, frame: pl.DataFrame, tables: Tables) -> tuple[pl.DataFrame, pl.DataFrame]:
    if tables.inventory is not None and (tables.inventory["on_hand"] > 0).any():
        return costs.storage(told, frame, tables.inventory, tables.products)
    return costs.of_settlements(told, frame, ["storage"]), pl.DataFrame(schema={"sku": pl.String, "part": pl.Int64})


def _row(sku: str = NOWHERE, **amounts: int) -> pl.DataFrame:
    """A cost of no order line."""
    values: dict[str, Any] = dict.fromkeys((*KINDS, "sold", "back"), 0) | amounts
    quiet = {f"no_{kind}": False for kind in KINDS}
    return pl.DataFrame([{"sku": sku, "market": NOWHERE} | values | quiet])


def _amount(units: int, home: Home) -> float:
    return float(units * home.unit / MILLION)


def _profit() -> pl.Expr:
    spent = ("goods", "freight", "duty", "tax", "fees", "storage", "returns", "fraud")
    return pl.col("revenue") - pl.sum_horizontal(spent) + pl.col("fx")


def _unknown() -> pl.Expr:
    told = [pl.when(pl.col(f"no_{kind}")).then(pl.lit(kind)) for kind in sorted(KINDS)]
    return pl.concat_str(told, separator="|", ignore_nulls=True)


def by_line(landed: Landed) -> pl.DataFrame:
    """The table `profit_lines`."""
    frame = landed.lines.with_columns(profit=_profit(), unknown=_unknown(), currency=pl.lit(landed.home.currency))
    return _shaped(frame, landed.home, ["order_id", "line", "sku", "market"], ["currency", "unknown"])


def by_sku(landed: Landed) -> pl.DataFrame:
    """The table `landed_profit`."""
    flags = [f"no_{kind}" for kind in KINDS]
    frame = landed.lines.group_by("sku", "market").agg(pl.col(*KINDS, "sold", "back").sum(), pl.col(flags).any())
    frame = frame.with_columns(profit=_profit(), unknown=_unknown(), currency=pl.lit(landed.home.currency))
    margin = pl.when(pl.col("revenue") > 0).then(pl.col("profit") / pl.col("revenue") * 100)
    frame = frame.with_columns(margin_pct=margin)
    return _shaped(frame, landed.home, ["sku", "market"], ["margin_pct", "currency", "unknown"]).sort("sku", "market")


def _shaped(frame: pl.DataFrame, home: Home, first: list[str], last: list[str]) -> pl.DataFrame:
    return frame.select(
        *first,
        *last,
        *(home.money(kind).alias(kind) for kind in (*KINDS, "profit")),
        units=pl.col("sold") / MILLION,
        units_returned=pl.col("back") / MILLION,
    )


def told_share(landed: Landed) -> dict[str, float | None]:
    """Per kind, the share of revenue (of pieces, for revenue itself) for which a table told it."""
    frame = landed.lines.filter(pl.col("sold") > 0)
    whole = int(frame["revenue"].sum())
    shares: dict[str, float | None] = {}
    for kind in KINDS:
        known = int(frame.filter(~pl.col(f"no_{kind}"))["revenue"].sum())
        shares[f"told_{kind}"] = round(known / whole, 6) if whole > 0 else None
    return shares


def metrics(landed: Landed, table: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Totals of every kind, the margin, the shares that were told."""
    found: dict[str, float | int | str | None] = {kind: float(table[kind].sum()) for kind in (*KINDS, "profit")}
    revenue, profit = found["revenue"], found["profit"]
    assert isinstance(revenue, float) and isinstance(profit, float)
    found["margin_pct"] = profit / revenue * 100 if revenue > 0 else None
    found["currency"] = landed.home.currency
    found["rows_at_a_loss"] = table.filter(pl.col("profit") < 0).height
    return found | told_share(landed) | landed.metrics


def findings(table: pl.DataFrame, landed: Landed) -> list[Finding]:
    """What sells at a loss, stock that costs and does not sell, and cost kinds that no table told."""
    found = []
    currency = landed.home.currency
    for row in table.filter(pl.col("profit") < 0).sort("sku", "market").iter_rows(named=True):
        lost = -float(row["profit"])
        name = f"{row['sku']}@{row['market']}"
        if row["sku"] == NOWHERE:
            text = f"{lost:,.2f} {currency} of costs belong to no order line"
            found.append(Finding(f"profit:{name}", "warn", name, "no_line", text, lost, currency))
        elif row["units"] > 0 or row["units_returned"] > 0:
            text = f"{name} loses {lost:,.2f} {currency} on {float(row['revenue']):,.2f} revenue"
            found.append(Finding(f"profit:{name}", "warn", name, "loss", text, lost, currency))
    idle = table.filter(
        pl.col("market") == NOWHERE, pl.col("sku") != NOWHERE, pl.col("units") == 0, pl.col("storage") > 0
    )
    if idle.height:
        cost = float(idle["storage"].sum())
        worst = idle.sort(["storage", "sku"], descending=[True, False])["sku"][0]
        text = f"stock of {of(idle.height, 'SKU')} that lay where nothing of it was sold cost {cost:,.2f} {currency}, most of it {worst}"
        found.append(Finding("profit:idle_stock", "info", str(worst), "idle_stock", text, cost, currency))
    for kind, share in told_share(landed).items():
        if share is not None and share < 1:
            what = kind.removeprefix("told_")
            text = f"{what}: no table tells it for {(1 - share) * 100:.1f} % of the revenue; it counts as 0 there"
            found.append(Finding(f"unknown:{what}", "warn" if share < 0.5 else "info", what, "unknown", text))
    return found


def headline(table: pl.DataFrame, landed: Landed) -> str:
    """The money in a sentence: nothing is proposed here."""
    revenue, profit = float(table["revenue"].sum()), float(table["profit"].sum())
    margin = f", {profit / revenue * 100:.1f} %" if revenue > 0 else ""
    lacking = [k.removeprefix("told_") for k, share in told_share(landed).items() if share is not None and share < 1]
    unknown = f"; not fully told: {', '.join(lacking)}" if lacking else ""
    return f"nothing is decided here; profit {profit:,.2f} {landed.home.currency} on revenue of {revenue:,.2f}{margin}{unknown}"
