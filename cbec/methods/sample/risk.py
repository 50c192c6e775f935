"""Half a year of payments by some 600 customers, with frauds of four kinds planted, some that nobody can see, labels and a few verdicts.

Ordinary life is in it too, since it is what false alarms come from: journeys, gifts, households that share a device,
new phones and cards, a few who pay at night.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.methods.sample import orders
from cbec.methods.sample.company import END, MARKETS, Company, Family

if TYPE_CHECKING:
    from numpy.typing import NDArray

CUSTOMERS, PAYMENTS, SPAN = 600, 7800, 183
FIRST = datetime(END.year, END.month, END.day) - timedelta(days=SPAN - 1)
NEAR = 0.3  # log of the ratio up to which a payment can be taken for an order's
UNLABELLED = 14  # last days of which no chargeback has come yet
JUMPS, SWITCHES, BURSTS, RINGS, CHARGEBACKS = 26, 9, 6, 5, 30
MAILS = ("gmail.com", "outlook.com", "icloud.com", "web.de", "orange.fr", "yahoo.co.jp", "btinternet.com")
RARE_MAILS = ("mail-once.example", "fastbox.example", "tmpmail.example")
ABROAD = ("PL", "NL", "IT", "PT", "GR", "TR", "TH", "CA", "AE", "CH")
FAR = ("NG", "VN", "BR", "UA", "MX", "ID", "ZA", "PH")
METHODS = ("card", "wallet", "card_on_file")
COLUMNS = (
    "time", "customer_id", "amount", "currency", "card_id", "device_id", "ip_country", "billing_country",
    "shipping_country", "merchant_id", "email_domain", "payment_method",
)  # fmt: skip
_CNY = {m.code: m.cny for m in MARKETS}
_CURRENCY = {m.code: m.currency for m in MARKETS}
_CENTS = {"JPY": 0}

Row = dict[str, Any]


class _People:
    """The customers and their habits: arrays of one entry each."""

    def __init__(self, rng: np.random.Generator) -> None:
        size = np.array([m.size for m in MARKETS])
        self.market = rng.choice(len(MARKETS), CUSTOMERS, p=size / size.sum())
        self.weight = rng.gamma(1.2, 1.0, CUSTOMERS) + 0.05
        self.median = np.exp(rng.normal(np.log(260), 0.5, CUSTOMERS))  # CNY
        self.spread = rng.uniform(0.25, 0.55, CUSTOMERS)
        self.night = rng.random(CUSTOMERS) < 0.06
        self.mail = [str(m) for m in rng.choice([*MAILS, *RARE_MAILS], CUSTOMERS, p=[*[0.138] * 7, *[0.034 / 3] * 3])]
        self.since = np.where(rng.random(CUSTOMERS) < 0.7, 0.0, rng.uniform(0, SPAN - 20, CUSTOMERS))
        self.device = np.array([f"D{i:05d}" for i in 10000 + rng.permutation(CUSTOMERS)], dtype=object)
        # Thirty households pay from one device.
        pairs = rng.permutation(CUSTOMERS)[:60].reshape(30, 2)
        self.device[pairs[:, 1]] = self.device[pairs[:, 0]]
        self.changed_device = np.where(rng.random(CUSTOMERS) < 0.12, rng.uniform(20, SPAN, CUSTOMERS), np.inf)
        self.changed_card = np.where(rng.random(CUSTOMERS) < 0.08, rng.uniform(20, SPAN, CUSTOMERS), np.inf)
        travels = rng.random(CUSTOMERS) < 0.12
        self.away = np.where(travels, rng.uniform(10, SPAN - 15, CUSTOMERS), np.inf)
        self.abroad = rng.integers(0, len(ABROAD), CUSTOMERS)

    def row(self, who: int, at: float, cny: float, rng: np.random.Generator) -> Row:
        """An ordinary payment of a customer, `at` days after the first day."""
        home = MARKETS[self.market[who]].code
        away = self.away[who] <= at < self.away[who] + 9
        return {
            "time": _moment(at),
            "customer_id": f"C{who + 1:04d}",
            **_money(cny, home),
            "card_id": f"K{who + 1:04d}{'B' if at >= self.changed_card[who] else 'A'}",
            "device_id": f"{self.device[who]}{'B' if at >= self.changed_device[who] else ''}",
            "ip_country": ABROAD[self.abroad[who]] if away else home,
            "billing_country": home,
            "shipping_country": home if rng.random() > 0.04 else ABROAD[int(rng.integers(len(ABROAD)))],
            "merchant_id": f"{home}-{'shop' if (who + int(at)) % 3 else 'market'}",
            "email_domain": self.mail[who],
            "payment_method": METHODS[(who * 7) % 3],
        }


def _moment(at: float) -> datetime:
    return FIRST + timedelta(seconds=int(at * 86400))


def _money(cny: float, home: str) -> Row:
    currency = _CURRENCY[home]
    return {"amount": round(max(cny / _CNY[home], 0.5), _CENTS.get(currency, 2)), "currency": currency}


def family(company: Company) -> Family:
    """The tables `transactions` and `verdicts`, and the frauds planted in them."""
    rng = company.random("risk")
    people = _People(rng)
    rows = _ordinary(rng, people)
    planted: dict[str, list[Any]] = {}
    planted["amount_jumps"] = _jumps(rng, people, rows)
    planted["location_switches"] = _switches(rng, people, rows)
    planted["card_testing"] = _bursts(rng, rows)
    planted["rings"] = _rings(rng, rows)
    planted["chargebacks"] = _chargebacks(rng, rows)
    frame = pl.DataFrame(
        rows, schema_overrides={"time": pl.Datetime("us"), "_incident": pl.String, "amount": pl.Float64}
    ).sort("time", "customer_id", "amount", "card_id")
    frame = frame.with_columns(pl.format("P26-{}", pl.int_range(100001, 100001 + frame.height)).alias("transaction_id"))
    fraud = pl.col("_incident").is_not_null()
    late = pl.col("time") >= _moment(SPAN - UNLABELLED)
    frame = frame.with_columns(
        label=pl.when(~late).then(pl.when(fraud).then(pl.lit("fraud")).otherwise(pl.lit("genuine")))
    )
    verdicts = _verdicts(rng, frame)
    frame = _paid(frame, orders.family(company).tables["order_lines"])
    told = {
        kind: [_told(frame, kind, number, about) for number, about in enumerate(list_)]
        for kind, list_ in planted.items()
    }
    columns = ["transaction_id", *COLUMNS, "order_id", "label"]
    truths = {
        "fraud": told
        | {"frauds": int(frame["_incident"].is_not_null().sum()), "unlabelled_from": _moment(SPAN - UNLABELLED).date()}
    }
    return Family({"transactions": frame.select(columns).sort("transaction_id"), "verdicts": verdicts}, truths)


def _paid(frame: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Orders of the own shop and the payments that paid them: an ordinary payment of the same market and day whose amount
    is near enough becomes the order's. Other payments are for orders that are not among the lines."""
    money = pl.col("price").cast(pl.Float64) * pl.col("qty").cast(pl.Float64) + pl.col("shipping").cast(pl.Float64)
    shop = lines.filter(
        (pl.col("qty") > 0) & ~pl.col("marketplace_collects") & pl.col("order_id").str.starts_with("SO")
    )
    owed = shop.group_by("order_id", "market", "date").agg(
        total=money.sum().round(2), currency=pl.col("currency").first()
    )
    ordinary = frame.filter(pl.col("_incident").is_null() & pl.col("merchant_id").str.ends_with("-shop"))
    ordinary = ordinary.select(
        "transaction_id", "amount", "currency", market=pl.col("merchant_id").str.head(2), date=pl.col("time").dt.date()
    )
    pairs = owed.join(ordinary, on=["market", "date", "currency"]).with_columns(
        apart=(pl.col("total") / pl.col("amount")).log().abs()
    )
    taken: set[str] = set()
    made: dict[str, tuple[str, float]] = {}
    near = pairs.filter(pl.col("apart") < NEAR).sort("apart", "order_id", "transaction_id")
    for order, payment, total in near.select("order_id", "transaction_id", "total").iter_rows():
        if order not in taken and payment not in made:
            taken.add(order)
            made[payment] = (order, total)
    found = pl.DataFrame(
        [(payment, order, total) for payment, (order, total) in made.items()],
        schema={"transaction_id": pl.String, "order_id": pl.String, "_total": pl.Float64},
        orient="row",
    )
    told = frame.join(found, on="transaction_id", how="left", maintain_order="left")
    return told.with_columns(amount=pl.coalesce("_total", "amount")).drop("_total")


def _ordinary(rng: np.random.Generator, people: _People) -> list[Row]:
    who = np.sort(rng.choice(CUSTOMERS, PAYMENTS, p=people.weight / people.weight.sum()))
    day = np.floor(people.since[who] + rng.random(PAYMENTS) * (SPAN - people.since[who]))
    hour = np.where(
        people.night[who] & (rng.random(PAYMENTS) < 0.5), rng.uniform(0, 6, PAYMENTS), _daytime(rng, PAYMENTS)
    )
    cny = people.median[who] * np.exp(rng.normal(0, 1, PAYMENTS) * people.spread[who])
    # Presents and stocking up: larger than usual, not six times so.
    cny = np.where(rng.random(PAYMENTS) < 0.02, cny * rng.uniform(1.4, 2.2, PAYMENTS), cny)
    return [
        people.row(int(w), float(d + h / 24), float(c), rng) | {"_incident": None}
        for w, d, h, c in zip(who, day, hour, cny, strict=True)
    ]


def _daytime(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return np.clip(rng.normal(15.5, 4.0, n), 6.0, 23.9)


def _days(rng: np.random.Generator, first: int, last: int, count: int) -> list[float]:
    """Days spread over the span, one in each of `count` equal parts, so that every month has some."""
    days = np.floor(first + (np.arange(count) + rng.random(count)) / count * (last - first))
    return [float(day) for day in days]


def _settled(rng: np.random.Generator, rows: list[Row], count: int, least: int) -> list[tuple[int, float]]:
    """A day each, and a customer with at least so many payments before it; nobody twice."""
    times: dict[str, list[datetime]] = {}
    for row in rows:
        if row["_incident"] is None:
            times.setdefault(row["customer_id"], []).append(row["time"])
    taken = {row["customer_id"] for row in rows if row["_incident"] is not None}
    chosen = []
    for day in _days(rng, 40, SPAN - 1, count):
        names = sorted(
            n for n, seen in times.items() if n not in taken and sum(t < _moment(day - 1) for t in seen) >= least
        )
        name = str(rng.choice(names))
        taken.add(name)
        chosen.append((int(name[1:]) - 1, day))
    return chosen


def _jumps(rng: np.random.Generator, people: _People, rows: list[Row]) -> list[Row]:
    """An account taken over: one payment of 6 to 12 times the usual amount, half of them from a strange device."""
    found = []
    for number, (who, day) in enumerate(_settled(rng, rows, JUMPS, 10)):
        row = people.row(who, day + float(rng.uniform(0.3, 0.95)), float(people.median[who] * rng.uniform(6, 12)), rng)
        if number % 2:
            row |= {"device_id": f"X{rng.integers(10000, 99999)}", "shipping_country": FAR[number % len(FAR)]}
        rows.append(row | {"_incident": f"amount_jumps:{number}"})
        found.append({"customer_id": row["customer_id"]})
    return found


def _switches(rng: np.random.Generator, people: _People, rows: list[Row]) -> list[Row]:
    """Stolen credentials used through proxies: five payments of usual size within ten hours, from five countries."""
    found = []
    for number, (who, day) in enumerate(_settled(rng, rows, SWITCHES, 8)):
        places = rng.permutation(FAR)[:5].tolist()
        at = day + 0.35 + np.sort(rng.uniform(0, 10 / 24, 5))
        for moment, place in zip(at, places, strict=True):
            cny = float(people.median[who] * np.exp(rng.normal(0, 0.3)))
            row = people.row(who, float(moment), cny, rng) | {"ip_country": str(place)}
            rows.append(row | {"_incident": f"location_switches:{number}"})
        found.append({"customer_id": f"C{who + 1:04d}", "countries": "|".join(sorted(places))})
    return found


def _bursts(rng: np.random.Generator, rows: list[Row]) -> list[Row]:
    """Cards being tried: a new account, one device, many cards, small amounts, a quarter of an hour."""
    found = []
    for number, day in enumerate(_days(rng, 20, SPAN - 1, BURSTS)):
        home = MARKETS[int(rng.integers(len(MARKETS)))].code
        start = day + float(rng.uniform(0.02, 0.2))
        device, customer, cards = f"T{rng.integers(10000, 99999)}", f"N{number + 1:04d}", int(rng.integers(9, 13))
        for moment in np.sort(rng.uniform(0, 15 / 1440, cards)):
            row = _stranger(rng, home, start + float(moment), float(rng.uniform(5, 20)), customer, device)
            rows.append(row | {"_incident": f"card_testing:{number}"})
        found.append({"device_id": device, "customer_id": customer})
    return found


def _rings(rng: np.random.Generator, rows: list[Row]) -> list[Row]:
    """Shared devices: eight new accounts on one device within ten days, each buying two or three times for resale."""
    found = []
    for number, start in enumerate(_days(rng, 20, SPAN - 13, RINGS)):
        home = MARKETS[int(rng.integers(len(MARKETS)))].code
        device = f"R{rng.integers(10000, 99999)}"
        members = [f"M{number + 1}{i + 1:03d}" for i in range(8)]
        for i, customer in enumerate(members):
            # The first two open their accounts a day apart, the others follow.
            opened = start + i * 1.1
            for _ in range(int(rng.integers(2, 4)) if i > 1 else 1):
                at = opened + float(rng.uniform(0.3, 0.95)) + float(rng.integers(0, 3)) * (i > 1)
                row = _stranger(rng, home, at, float(np.exp(rng.normal(np.log(480), 0.25))), customer, device)
                row |= {"card_id": f"K{device}{i % 3}"} | ({"shipping_country": FAR[number]} if i % 2 else {})
                rows.append(row | {"_incident": f"rings:{number}"})
        found.append({"device_id": device, "customers": "|".join(members)})
    return found


def _chargebacks(rng: np.random.Generator, rows: list[Row]) -> list[Row]:
    """Ordinary payments that their own customer disputes later: nobody can see them coming."""
    ordinary = [i for i, row in enumerate(rows) if row["_incident"] is None]
    found = []
    for number, i in enumerate(sorted(rng.choice(ordinary, CHARGEBACKS, replace=False).tolist())):
        rows[i] |= {"_incident": f"chargebacks:{number}"}
        found.append({"customer_id": rows[i]["customer_id"]})
    return found


def _stranger(rng: np.random.Generator, home: str, at: float, cny: float, customer: str, device: str) -> Row:
    return {
        "time": _moment(at),
        "customer_id": customer,
        **_money(cny, home),
        "card_id": f"K{rng.integers(10**7, 10**8)}",
        "device_id": device,
        "ip_country": home,
        "billing_country": home,
        "shipping_country": home,
        "merchant_id": f"{home}-shop",
        "email_domain": str(rng.choice(RARE_MAILS if rng.random() < 0.4 else MAILS)),
        "payment_method": "card",
    }


def _told(frame: pl.DataFrame, kind: str, number: int, about: Row) -> Row:
    mine = frame.filter(pl.col("_incident") == f"{kind}:{number}").sort("transaction_id")
    return about | {"day": mine["time"][0].date(), "transactions": "|".join(mine["transaction_id"].to_list())}


def _verdicts(rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    """What two analysts found within three days: some of the frauds, and good payments they had a look at."""
    frauds, good = frame.filter(pl.col("_incident").is_not_null()), frame.filter(pl.col("_incident").is_null())
    some = pl.concat(
        [frauds[np.sort(rng.permutation(frauds.height)[:60])], good[np.sort(rng.permutation(good.height)[:90])]]
    )
    wait = pl.Series("_wait", rng.integers(3600, 3 * 86400, some.height))
    decided = some.with_columns(wait).with_columns(
        decided_at=pl.col("time") + pl.duration(seconds="_wait"),
        verdict=pl.when(pl.col("_incident").is_null()).then(pl.lit("false_positive")).otherwise(pl.lit("confirmed")),
        analyst=pl.Series(np.where(rng.random(some.height) < 0.5, "lin", "weber").tolist()),
    )
    end = datetime(END.year, END.month, END.day) + timedelta(days=1)
    known = decided.filter(pl.col("decided_at") < end)
    return known.select("transaction_id", "verdict", "decided_at", "analyst").sort("transaction_id", "decided_at")
