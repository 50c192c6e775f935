"""The answer of `fraud score`: probability, decision, money and reasons of each payment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected, NoAnswer, UsageFault
from cbec.core.money import Z90, Headline
from cbec.core.words import of
from cbec.methods.fraud import anomaly, level, measures, reasons, rules, timeline
from cbec.methods.fraud import decide as decisions
from cbec.methods.fraud import model as models

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.fraud.case import Case
    from cbec.methods.fraud.decide import Costs, Decisions

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

#: finding_id, severity, entity, rule, message, money, currency
Found = tuple[str, str, str, str, str, float | None, str | None]


@dataclass(frozen=True)
class Answer:
    """Payments to decide on (rows of the case), with their probability (told by labels or not) and decision."""

    case: Case
    rows: NDArray[np.int64]
    p: Floats
    learnt: Flags
    decided: Decisions
    costs: Costs
    model: models.Model | None

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Payments with features."""
        whole = self.case.frame
        return whole if len(self.rows) == whole.height else whole[self.rows]

    @cached_property
    def flagged(self) -> pl.DataFrame:
        """Rules they met."""
        return self.case.flagged[self.rows]

    @property
    def amount(self) -> Floats:
        """Amounts in one currency."""
        return self.case.amount[self.rows]


def probability(case: Case, model: models.Model | None, base_rate: float, delay_days: float) -> tuple[Floats, Flags]:
    """Probability of fraud per payment of the case, and whether labels tell its level: from the model, else from oddness.

    InputRejected where the model needs a column that transactions lack; UsageFault where it learnt from amounts in
    another currency.
    """
    if model is None:
        return level.of_oddness(case, base_rate, delay_days)
    missing = [n for n in model.names if n not in case.frame.columns]
    given = [n for n in missing if n in model.card.get("given_columns", ())]
    if given:
        raise InputRejected(f"transactions: the model was trained with {', '.join(given)}, which the table lacks")
    if missing:
        raise NoAnswer(
            f"the model needs features that this version has not: {', '.join(missing)}", hint="train it again"
        )
    learnt = model.card.get("currency")
    if learnt != case.currency and learnt is not None and case.currency is not None:
        raise UsageFault(
            f"the model learnt from amounts in {learnt}, these are in {case.currency}", hint=f"--home-currency {learnt}"
        )
    p = model.score(case.frame)
    return p, np.ones(len(p), dtype=np.bool_)


def answer(
    case: Case,
    model: models.Model | None,
    told: tuple[Floats, Flags],
    since: date | None,
    named_hold: bool,
    costs: Costs,
) -> Answer:
    """Decide on the payments from a day on (None = all). told: what `probability` gives."""
    p, learnt = told
    rows = np.arange(len(p))
    if since is not None:
        rows = np.flatnonzero(case.frame.select(pl.col("_day") >= since).to_series().to_numpy())
    flagged = case.flagged[rows]
    named = flagged.select(pl.any_horizontal(rules.NAMED)).to_series().to_numpy()
    other = flagged.select(pl.any_horizontal(rules.RULES)).to_series().to_numpy() & ~named
    must_hold = named if named_hold else np.zeros_like(named)
    must_look = other if named_hold else named | other
    decided = decisions.decide(
        p[rows], case.amount[rows], case.day[rows], must_hold, must_look, model is not None, costs
    )
    return Answer(case, rows, p[rows], learnt[rows], decided, costs, model)


def table(found: Answer, language: str) -> pl.DataFrame:
    """The table `scores`."""
    decided = found.decided
    second, second_cost = decided.runner_up()
    words = np.array(decisions.WORDS)
    frame = found.frame.select("transaction_id", "time", "customer_id", "order_id").with_columns(
        pl.Series("score", found.p),
        pl.Series("decision", words[decided.choice].tolist(), pl.String),
        pl.Series("expected_loss", decided.costs[:, decisions.ALLOW]),
        pl.Series("amount", found.amount),
        pl.lit(found.case.currency, pl.String).alias("currency"),
        pl.Series("cost", decided.cost),
        pl.Series("runner_up", words[second].tolist(), pl.String),
        pl.Series("runner_up_cost", second_cost),
        rules.joined(found.flagged),
        pl.lit("ensemble" if found.model is None else "model").alias("basis"),
    )
    return pl.concat([frame, _reasons(found, language)], how="horizontal")


def _reasons(found: Answer, language: str) -> pl.DataFrame:
    alert = found.decided.choice != decisions.ALLOW
    frame, at = found.frame, np.flatnonzero(alert)
    some = frame[at]
    if found.model is None:
        evidence = {name: value[found.rows[at]] for name, value in found.case.odds.features.items()}
        strength, least = reasons.strengths(evidence, len(at), add=False), reasons.LEAST_EVIDENCE
        known = -np.log(found.case.odds.members["known_frauds"][found.rows[at]]) if found.case.odds.members else None
        if known is not None:
            strength = np.maximum(strength, reasons.of_known_frauds(some, known))
    else:
        parts = found.model.contributions(some)
        by_name = {name: parts[:, i] for i, name in enumerate(found.model.names)}
        strength, least = reasons.strengths(by_name, len(at), add=True), reasons.LEAST_CONTRIBUTION
    odd = reasons.tell(some, found.flagged[at], strength, least, language)
    rest = np.flatnonzero(~alert)
    told = pl.concat([odd, reasons.usual(frame.select("own_n")[rest], language)])
    back = np.argsort(np.concatenate([at, rest]), kind="stable")
    return told[back]


def headline(found: Answer) -> Headline | str:
    """Today = every payment allowed, proposed = the decisions; both expected."""
    if found.case.currency is None:
        return "no table tells the currency of the amounts: set --home-currency"
    if not len(found.rows):
        return "no payment in the days asked for"
    decided = found.decided
    today, proposed = float(decided.costs[:, decisions.ALLOW].sum()), float(decided.cost.sum())
    days = found.frame["_day"]
    basis = (
        f"{of(len(found.rows), 'payment')} of {days[0]} to {days[-1]}; today = expected loss if all were allowed; proposed = "
        "expected loss of those allowed + reviews + good payments that are held"
    )
    if found.model is None:
        basis += (
            "; probabilities are calibrated on labels that were known by then"
            if found.learnt.all()
            else "; no or too few labels were known, so that the level rests on an assumed share of frauds (base_rate)"
            if not found.learnt.any()
            else "; until enough labels were known, the level rests on an assumed share of frauds (base_rate)"
        )
        return Headline(today, proposed, None, None, found.case.currency, basis)
    half = Z90 * decisions.spread(found.p, found.amount, decided, found.costs)
    basis += "; the range takes the calibrated probabilities as right and payments as independent"
    difference = proposed - today
    return Headline(today, proposed, difference - half, difference + half, found.case.currency, basis)


def metrics(found: Answer, as_of: date | None) -> dict[str, float | int | str | None]:
    """Figures for summary.json; where labels are known by as_of, how well the score orders them."""
    choice, cost = found.decided.choice, found.decided.costs
    out: dict[str, float | int | str | None] = {
        "basis": "ensemble" if found.model is None else "model",
        "payments": len(choice),
        **{
            f"{word}ed" if word != "hold" else "held": int((choice == i).sum())
            for i, word in enumerate(decisions.WORDS)
        },
        "amount": round(float(found.amount.sum()), 2),
        "amount_held": round(float(found.amount[choice == decisions.HOLD].sum()), 2),
        "expected_loss_if_all_allowed": round(float(cost[:, decisions.ALLOW].sum()), 2),
        "expected_loss_left": round(float(cost[choice == decisions.ALLOW, decisions.ALLOW].sum()), 2),
        "reviews_cost": round(float(cost[choice == decisions.REVIEW, decisions.REVIEW].sum()), 2),
        "good_payments_held_cost": round(float(cost[choice == decisions.HOLD, decisions.HOLD].sum()), 2),
        "days_with_full_reviews": found.decided.full,
        "agreement": agreement(found),
        **{rule: int(found.flagged[rule].sum()) for rule in rules.RULES},
    }
    label = timeline.labels(found.case.news, found.case.frame.height, as_of)[found.rows]
    known = label.is_not_null().to_numpy()
    fraud = (label.fill_null(0) == 1).to_numpy()[known]
    if fraud.any() and not fraud.all():
        caught = choice[known] != decisions.ALLOW
        out |= {
            "labelled": int(known.sum()),
            "labelled_frauds": int(fraud.sum()),
            "average_precision": measures.average_precision(fraud, found.p[known]),
            "average_precision_amount_only": measures.average_precision(fraud, found.amount[known]),
            "average_precision_random": float(fraud.mean()),
            "auc": measures.auc(fraud, found.p[known]),
            "alert_precision": float(fraud[caught].mean()) if caught.any() else None,
            "alert_recall": float(caught[fraud].mean()),
            "fraud_amount_allowed": round(float(found.amount[known][fraud & ~caught].sum()), 2),
            "fraud_amount": round(float(found.amount[known][fraud].sum()), 2),
        }
    return out


def agreement(found: Answer) -> float | None:
    """Share of the oddest hundredth by ECOD that HBOS too has in its oddest tenth; chance gives 0.1."""
    members = found.case.odds.members
    if len(found.rows) < 1000 or not {"ecod", "hbos"} <= set(members):
        return None
    top = members["ecod"][found.rows] <= 0.01
    return None if not top.any() else round(float((members["hbos"][found.rows][top] <= 0.1).mean()), 4)


def findings(found: Answer) -> list[Found]:
    """An alert per customer, device or card whose payments met a rule, and the days on which reviews ran out."""
    currency = found.case.currency
    decision = pl.Series("decision", np.array(decisions.WORDS)[found.decided.choice].tolist(), pl.String)
    frame = pl.concat([found.frame, found.flagged, decision.to_frame()], how="horizontal")
    out: list[Found] = []
    device = pl.col("device_new_customers_30d").fill_null(0) >= pl.col("card_new_customers_30d").fill_null(0)
    shared = pl.when(device).then(pl.format("device {}", "device_id")).otherwise(pl.format("card {}", "card_id"))
    told = {
        rules.JUMP: ("customer_id", "high", "{n} of {much}, up to {ratio:.1f} times the customer's median payment"),
        rules.SWITCH: (
            "customer_id",
            "high",
            "{n} of {much} while the place changed up to {moves:.0f} times in 24 hours ({places})",
        ),
        rules.BURST: ("customer_id", "warn", "{n} of {much} in a burst of up to {burst:.0f} within an hour"),
        rules.RING: ("_shared", "warn", "{n} of {much} where up to {ring:.0f} customers came within 30 days ({who})"),
    }
    for rule, (entity, severity, sentence) in told.items():
        part = frame.filter(rule).with_columns(shared.alias("_shared"))
        grouped = part.group_by(entity).agg(
            pl.len().alias("count"),
            pl.col("_amount").round(2).sum().alias("sum"),
            pl.col("amount_ratio").max().fill_null(0).alias("ratio"),
            pl.max_horizontal("countries_24h", "moves_24h").max().cast(pl.Float64).fill_null(0).alias("moves"),
            pl.col("ip_country").drop_nulls().unique().sort().head(6).str.join(", ").alias("places"),
            pl.col("burst_1h").max().cast(pl.Float64).fill_null(0).alias("burst"),
            pl.max_horizontal("device_new_customers_30d", "card_new_customers_30d")
            .max()
            .cast(pl.Float64)
            .fill_null(0)
            .alias("ring"),
            pl.col("customer_id").unique().sort().head(4).str.join(", ").alias("who"),
            (pl.col("decision") == "hold").sum().alias("held"),
            pl.col("time").min().alias("first"),
        )
        for row in grouped.sort(entity).iter_rows(named=True):
            name = str(row[entity])
            held = f"{row['held']} held" if row["held"] else "to be reviewed"
            row["n"] = of(row["count"], "payment")
            row["much"] = f"{row['sum']:,.2f} {currency or ''}".strip()
            text = f"{sentence.format_map(row)}; first {row['first']}; {held}"
            out.append((f"{rule}:{name}", severity, name, rule, text, round(row["sum"], 2), currency))
    if found.decided.full:
        text = (
            f"more payments deserved a review than the {found.costs.capacity} a day allow, on {found.decided.full} days"
        )
        out.append(("reviews_full", "warn", "reviews", "reviews_full", text, None, None))
    return out


def notes(found: Answer) -> list[str]:
    """Assumptions and doubts, in words."""
    case, out = found.case, list[str]()
    frame = case.frame
    absent = [c for c in ("card_id", "device_id", "ip_country", "currency") if frame[c].null_count() == frame.height]
    blind = {"ip_country": "location switching", "device_id": "shared devices", "card_id": "shared cards"}
    unseen = [blind[c] for c in absent if c in blind]
    if unseen:
        out.append(
            f"transactions tell nothing of {', '.join(c for c in absent if c in blind)}: {', '.join(unseen)} cannot be seen"
        )
    if found.model is None:
        out.append("no model was given: the order comes from detectors; probability alone suspends no payment")
        if not case.odds.known.any():
            out.append(
                f"fewer than {anomaly.FEWEST} payments of earlier days: nothing can be called odd, only rules hold"
            )
        elif not case.odds.known[found.rows].all():
            early = int((~case.odds.known[found.rows]).sum())
            out.append(
                f"{of(early, 'payment')} came before there was anything to compare with: only rules hold for them"
            )
        together = agreement(found)
        if together is not None and together < 0.3:
            out.append("the detectors do not agree on what is odd: the order of scores says little here")
    elif len(found.rows) and (back := int(case.day[found.rows[0]] - case.day[0])) < 30:
        out.append(
            f"the table reaches back {of(back, 'day')} before the first scored payment; the model's windows reach back 30"
        )
    if found.model is not None:
        learnt_to = str(found.model.card.get("learnt_to"))
        seen = int((found.frame["_day"].cast(pl.String) <= learnt_to).sum())
        if seen:
            out.append(
                f"the model learnt from payments up to {learnt_to}: {seen} of these are among them and look better judged than later ones will be"
            )
    out += [f"detector {name} gave no finite number and was left out" for name in case.odds.left_out]
    forced = found.flagged.select(pl.any_horizontal(rules.NAMED)).to_series().sum()
    if forced:
        share = forced / max(len(found.rows), 1)
        costs = found.costs
        pays = costs.decline_share / ((costs.decline_share + costs.loss_share) or 1.0)
        out.append(
            f"{of(int(forced), 'payment')} ({100 * share:.2f} %) met a rule that always alerts (amount jump, location switch), whatever "
            f"their expected cost; to hold one pays from a probability of {100 * pays:.0f} %"
        )
    return out
