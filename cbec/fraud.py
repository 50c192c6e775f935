"""Fraud: a score and a decision per payment, by rules, detectors and, where labels exist, a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cbec.core.command import Common, Finding, Result, Table, command, setting

if TYPE_CHECKING:
    from cbec.methods.fraud.case import Case


@dataclass(frozen=True)
class _Watch(Common):
    """What scoring and training share."""

    label_delay_days: float = setting(
        7.0, "days after a payment until its label counts as known (a verdict has its own time)", min=0
    )
    review_capacity: int = setting(50, "payments that people can review in a day", min=0)
    jump_ratio: float = setting(
        3.0, "amount over the customer's median from which it is a jump (with a robust z of 3.5 at least)", min=1
    )
    switch_countries: int = setting(
        3, "countries within 24 hours, or moves between them, that are location switching", min=2
    )
    burst: int = setting(5, "payments within an hour by one customer, card or device that are a burst", min=2)
    ring_customers: int = setting(4, "customers new to one device or card within 30 days that are a ring", min=2)


@dataclass(frozen=True)
class Score(_Watch):
    """Settings of `fraud score`."""

    model: str = setting("", "folder of a model that `fraud train` wrote; empty = detectors without labels")
    days: int = setting(0, "decide on the last so many days only, the earlier payments are history; 0 = all", min=0)
    review_cost: float = setting(5.0, "cost of one review, in the home currency", min=0)
    loss_share: float = setting(1.0, "share of the amount that a fraud costs you", min=0, max=2)
    decline_share: float = setting(
        0.3, "share of the amount that a good payment costs you when it is held (margin, goodwill)", min=0, max=2
    )
    base_rate: float = setting(0.005, "share of frauds assumed where there is no model", min=0.00001, max=0.5)
    named_rules: str = setting(
        "hold", "what an amount jump or location switching gets besides the alert", choices=("hold", "review")
    )


@command(
    "scores",
    example="--transactions transactions.csv.gz --verdicts verdicts.csv --rates rates.csv --home-currency CNY -o scores.csv",
)
def score(transactions: Table, verdicts: Table | None = None, rates: Table | None = None, *, s: Score) -> Result:
    """A probability of fraud, a decision and reasons per payment: allow, review or hold.

    Each payment is judged by itself and by what was known before it. Amount jumps and frequent location switching always
    alert and suspend; the other decisions are the cheapest in expectation, within the reviews of a day.
    """
    from cbec.methods.fraud import decide, model
    from cbec.methods.fraud import score as method

    trained, told_of_model = model.latest(s.model) if s.model else (None, [])
    case = _study(transactions, verdicts, rates, s)
    told = method.probability(case, trained, s.base_rate, s.label_delay_days)
    since = s.as_of - timedelta(days=s.days - 1) if s.days and s.as_of is not None else None
    costs = decide.Costs(s.review_cost, s.review_capacity, s.loss_share, s.decline_share)
    found = method.answer(case, trained, told, since, s.named_rules == "hold", costs)
    return Result(
        tables={"scores": method.table(found, s.language)},
        money=method.headline(found),
        metrics=method.metrics(found, s.as_of),
        findings=[Finding(*f) for f in method.findings(found)],
        notes=[*told_of_model, *method.notes(found)],
    )


def _study(transactions: Table, verdicts: Table | None, rates: Table | None, s: _Watch) -> Case:
    from cbec.methods.fraud import case, rules

    limits = rules.Limits(s.jump_ratio, s.switch_countries, s.burst, s.ring_customers)
    return case.study(transactions, verdicts, rates, limits, s.label_delay_days, s.home_currency)


@dataclass(frozen=True)
class Train(_Watch):
    """Settings of `fraud train`."""

    model: str = setting("", "folder for model.txt, features.json and card.json; empty = only the record", made=True)
    ignore: str = setting("", "columns of transactions that the model must not see, joined by commas")


@command(
    "training_record",
    example="--transactions transactions.csv.gz --verdicts verdicts.csv --rates rates.csv --home-currency CNY --model model -o training_record.csv",
)
def train(transactions: Table, verdicts: Table | None = None, rates: Table | None = None, *, s: Train) -> Result:
    """A model from labelled payments (LightGBM on causal features), judged on later payments than it learnt from.

    Beside it stand the detectors without labels, the amount alone, and chance. It is written only if it beats them.
    """
    from cbec.methods.fraud import train as method

    case = _study(transactions, verdicts, rates, s)
    found = method.answer(case, s.as_of, s.seed, s.review_capacity, s.label_delay_days, s.ignore)
    return Result(
        tables={"training_record": found.record},
        money="training moves no money; fraud score prices the decisions that follow from the model",
        metrics=found.metrics,
        findings=[Finding(*f) for f in found.findings],
        notes=[*found.notes, *([] if s.model else ["no model was written: give --model FOLDER"])],
        files=found.files,
    )
