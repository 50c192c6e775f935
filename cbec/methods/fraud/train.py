"""The answer of `fraud train`: a model, its record on later payments, and what it must not have seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec import __version__
from cbec.core.errors import NoAnswer, UsageFault, did_you_mean
from cbec.core.words import of
from cbec.methods.fraud import level, measures, timeline
from cbec.methods.fraud import model as models
from cbec.methods.fraud.catalogue import NAMES
from cbec.tables.risk import transactions as contract

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.fraud.case import Case

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Found = tuple[str, str, str, str, str, float | None, str | None]

FEWEST_TO_LEARN, FEWEST_TO_JUDGE = 20, 5  # frauds
LEARN, CALIBRATE = 0.6, 0.2  # shares of the payments; the rest is for the record
LEAK = 0.98  # a single given column that orders frauds this well (area under ROC) has seen the outcome
CLOCK = 0.999  # a given column that follows the order of payments this closely is a counter or a clock


@dataclass
class Trained:
    """The record, the files for the model's folder (if it was refused, only the word of that), figures, findings, notes."""

    record: pl.DataFrame
    files: dict[str, bytes]
    metrics: dict[str, float | int | str | None]
    findings: list[Found] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Labelled:
    """Payments with a label known by the as-of date: whether they were fraud, since when that is known, and their day."""

    fraud: Flags
    known: Flags
    known_on: NDArray[np.int64]
    day: NDArray[np.int64]

    def before(self, cut: int, low: int | None = None) -> NDArray[np.intp]:
        """Rows of days low..cut-1 whose label was known before day `cut` began: what could be learnt then."""
        rows = self.known & (self.day < cut) & (self.known_on < cut)
        return np.flatnonzero(rows if low is None else rows & (self.day >= low))

    def since(self, low: int) -> NDArray[np.intp]:
        """Labelled rows from that day on."""
        return np.flatnonzero(self.known & (self.day >= low))


def answer(case: Case, as_of: date | None, seed: int, capacity: int, delay_days: float, ignore: str) -> Trained:
    """Train, judge out of time, train again on all but the last payments, which calibrate.

    NoAnswer where there are too few frauds, or too short a time, to learn and to judge.
    """
    known = _labelled(case, as_of)
    extras, findings = _extras(case, known, ignore)
    names = [n for n in (*NAMES, *extras) if _varies(case.frame[n])]
    values = models.matrix(case.frame, names)
    first, second = _cuts(known, delay_days)
    slices = known.before(first), known.before(second, first), known.since(second)
    for rows, least, what in zip(slices, (FEWEST_TO_LEARN, FEWEST_TO_JUDGE, FEWEST_TO_JUDGE), _PARTS, strict=True):
        _enough(known.fraud[rows], least, what)
    learn, tune, judge = slices
    text = models.fit(values[learn], known.fraud[learn], names, seed)
    slope, offset = level.calibrate(models.raw(text, values[tune]), known.fraud[tune])
    p = level.logistic(offset + slope * models.raw(text, values[judge]))
    record = _record(case, known, judge, p, capacity, seed)
    ours, best = _best(record)
    trained = Trained(record, {}, {}, findings)
    final = models.fit(values[known.before(second)], known.fraud[known.before(second)], names, seed)
    slope, offset = level.calibrate(models.raw(final, values[judge]), known.fraud[judge])
    drivers = models.importance(final, 15)
    trained.metrics = {
        **_sizes(case, known, names),
        "average_precision": ours["average_precision"],
        "average_precision_best_other": best["average_precision"],
        "best_other": str(best["method"]),
        "average_precision_random": float(known.fraud[judge].mean()),
        "auc": ours["auc"],
        "expected_frauds_in_record": float(p.sum()),
        "frauds_in_record": int(known.fraud[judge].sum()),
    }
    days = case.frame["_day"]
    trained.notes = [
        (
            f"learnt from {days[int(learn[0])]} to {days[int(learn[-1])]}, calibrated to {days[int(tune[-1])]}, judged on "
            f"{days[int(judge[0])]} to {days[int(judge[-1])]}; the model that is written learnt up to {days[int(known.before(second)[-1])]} "
            "and is calibrated on the judged payments"
        ),
        "what it looks at most: " + ", ".join(f"{name} {100 * share:.0f} %" for name, share in drivers[:6]),
    ]
    unjudged = int((~known.known).sum())
    if unjudged:
        trained.notes.append(
            f"{of(unjudged, 'payment', 'have')} no label yet known: counted in the past of others only. Where only alerts are judged, "
            "the record says little of what no alert was raised for"
        )
    if ours["average_precision"] <= best["average_precision"]:
        text_ = (
            f"the model orders later payments no better than {best['method']} (average precision {ours['average_precision']:.3f} "
            f"against {best['average_precision']:.3f}): it is not written"
        )
        trained.findings.append(("model_refused", "high", "model", "model_refused", text_, None, None))
        trained.files = models.training(False, text_)
        return trained
    card = _card(case, known, names, extras, drivers, days[int(judge[-1])], trained, as_of, seed, delay_days)
    trained.files = models.Model(final, tuple(names), slope, offset, card).files() | models.training(True)
    return trained


_PARTS = (
    "the first three fifths of the time, to learn from",
    "the next fifth, to calibrate",
    "the last fifth, to judge",
)


def _labelled(case: Case, as_of: date | None) -> Labelled:
    label = timeline.labels(case.news, case.frame.height, as_of)
    known_at = pl.DataFrame({"_row": pl.int_range(case.frame.height, eager=True, dtype=pl.UInt32)}).join(
        case.news.unique("_row", keep="last", maintain_order=True), on="_row", how="left", maintain_order="left"
    )["known"]
    known_on = (known_at.fill_null(0) // timeline.DAY).to_numpy()
    found = Labelled((label.fill_null(0) == 1).to_numpy(), label.is_not_null().to_numpy(), known_on, case.day)
    if not found.known.any():
        raise NoAnswer(
            "no payment has a label known by then: give the column label, or --verdicts",
            hint="a label counts as known after label_delay_days; --as-of says when",
        )
    return found


def _cuts(known: Labelled, delay_days: float) -> tuple[int, int]:
    """The days on which calibration and judging begin: after three and four fifths of the labelled payments."""
    days = known.day[known.known]
    first, second = (int(np.quantile(days, q)) for q in (LEARN, LEARN + CALIBRATE))
    second = max(second, first + 1)
    if days.min() >= first or second > days.max():
        raise NoAnswer(
            "the labelled payments span too few days to learn from the earlier and judge on the later ones",
            hint=f"give some months of payments (labels are known {delay_days:g} days late)",
        )
    return first, second


def _enough(fraud: Flags, least: int, what: str) -> None:
    if fraud.sum() < least or fraud.all():
        raise NoAnswer(
            f"{int(fraud.sum())} frauds among {len(fraud)} labelled payments of {what}: at least {least} are needed, and some "
            "genuine ones",
            hint="give a longer time; without a model, fraud score works by detectors that need no labels",
        )


def _varies(column: pl.Series) -> bool:
    return column.drop_nulls().n_unique() > 1


def _extras(case: Case, known: Labelled, ignore: str) -> tuple[list[str], list[Found]]:
    """Numeric columns that the user gave besides the contract's, less those that know the outcome or the clock."""
    own = [c for c in case.frame.columns[: _width(case)] if c not in contract.names]
    left = [name.strip() for name in ignore.split(",") if name.strip()]
    for name in left:
        if name not in own:
            raise UsageFault(f'ignore: transactions have no further numeric column "{name}"{did_you_mean(name, own)}')
    rows = np.flatnonzero(known.known)
    fraud = known.fraud[rows]
    taken: list[str] = []
    findings: list[Found] = []
    for name in (n for n in own if n not in left):
        if name in NAMES:
            raise UsageFault(f'transactions: the column "{name}" has the name of a feature: rename it')
        column = case.frame[name].cast(pl.Float64)
        told = _suspicion(column[rows], fraud, case.frame["_at"][rows])
        if told:
            text = f'the column "{name}" {told}: the model does not see it'
            findings.append((f"leak:{name}", "warn", name, "leak", text, None, None))
        else:
            taken.append(name)
    return sorted(taken), findings


def _width(case: Case) -> int:
    return case.frame.columns.index("_at")


def _suspicion(column: pl.Series, fraud: Flags, at: pl.Series) -> str:
    """Why a given column may not be learnt from, or nothing."""
    if fraud.any() and not fraud.all():
        empty = column.is_null().to_numpy()
        area = measures.auc(fraud, empty.astype(np.float64)) if empty.any() else 0.5
        if max(area, 1 - area) >= LEAK:
            return "is empty where payments are fraud, or only there, so that it has seen the outcome"
        lowest = column.min()
        area = measures.auc(fraud, column.fill_null(0.0 if lowest is None else float(lowest) - 1).to_numpy())  # type: ignore[arg-type]
        if max(area, 1 - area) >= LEAK:
            return f"orders frauds almost perfectly by itself (area under ROC {max(area, 1 - area):.3f}), so that it has seen the outcome"
    if not _varies(column):
        return ""
    both = pl.DataFrame({"a": column, "b": at}).drop_nulls()
    if both.height > 50:
        rank = both.select(pl.corr("a", "b", method="spearman")).item()
        if rank is not None and abs(rank) >= CLOCK:
            return "only counts payments or time, and later values were never seen"
    return ""


def _record(case: Case, known: Labelled, rows: NDArray[np.intp], p: Floats, capacity: int, seed: int) -> pl.DataFrame:
    """The table `training_record`: the model beside the detectors, the amount and chance, on the judged payments."""
    fraud, day, amount = known.fraud[rows], known.day[rows], case.amount[rows]
    odd = -np.log(case.odds.tail[rows])
    chance = np.random.default_rng(seed).random(len(rows))
    out = []
    for method, score in (("model", p), ("ensemble", odd), ("amount_only", amount), ("random", chance)):
        reached = measures.top_per_day(day, score, capacity)
        value = float(amount[fraud].sum())
        is_chance = method == "random"
        out.append(
            {
                "method": method,
                "from_day": case.frame["_day"][int(rows[0])],
                "to_day": case.frame["_day"][int(rows[-1])],
                "payments": len(rows),
                "frauds": int(fraud.sum()),
                # Chance is told as it is on average, not as one draw had it.
                "average_precision": float(fraud.mean()) if is_chance else measures.average_precision(fraud, score),
                "auc": 0.5 if is_chance else measures.auc(fraud, score),
                "precision_at_capacity": float(fraud[reached].mean()) if reached.any() else 0.0,
                "recall_at_capacity": float(reached[fraud].mean()),
                "value_recall_at_capacity": float(amount[fraud & reached].sum()) / value if value > 0 else 0.0,
                "brier": measures.brier(fraud, p) if method == "model" else None,
            }
        )
    frame = pl.DataFrame(out, schema_overrides={"brier": pl.Float64})
    ours = float(frame["average_precision"][0])
    better = pl.col("average_precision") >= ours
    verdict = (
        pl.when(pl.col("method") == "model")
        .then(pl.lit("chosen" if float(frame["average_precision"][1:].max()) < ours else "refused"))  # type: ignore[arg-type]
        .when(better)
        .then(pl.lit("beats the model"))
        .otherwise(pl.lit("behind the model"))
    )
    return frame.with_columns(verdict.alias("verdict"))


def _best(record: pl.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    rows = list(record.iter_rows(named=True))
    return rows[0], max(rows[1:], key=lambda r: float(r["average_precision"]))


def _sizes(case: Case, known: Labelled, names: list[str]) -> dict[str, int]:
    return {
        "payments": case.frame.height,
        "labelled": int(known.known.sum()),
        "frauds": int(known.fraud[known.known].sum()),
        "features": len(names),
    }


def _card(
    case: Case,
    known: Labelled,
    names: list[str],
    extras: list[str],
    drivers: list[tuple[str, float]],
    learnt_to: date,
    trained: Trained,
    as_of: date | None,
    seed: int,
    delay_days: float,
) -> dict[str, Any]:
    """What a person should know before trusting the model; no clock, so that equal inputs give equal bytes."""
    return {
        "what": "probability that a payment is fraud (LightGBM, calibrated by Platt's method)",
        "made_by": f"cbec {__version__}, lightgbm {metadata.version('lightgbm')}",
        "as_of": as_of,
        "seed": seed,
        "learnt_to": learnt_to,
        "currency": case.currency,
        "label_delay_days": delay_days,
        **_sizes(case, known, names),
        "given_columns": [n for n in extras if n in names],
        "gain": {name: round(share, 4) for name, share in drivers},
        "record": [
            {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}
            for row in trained.record.iter_rows(named=True)
        ],
        "limits": [
            "It knows the frauds of its training time; train again as labels come in.",
            "Payments that were suspended have no outcome, and where only alerts are judged the labels are selective.",
            "Countries and e-mail domains are among the features: look at the alerts by customer country before you rely on it.",
        ],
    }
