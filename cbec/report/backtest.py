"""The page of forecast backtest: which method to trust, beside the naive ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import glossary, stockplan, svg
from cbec.report.format import figure, of, percent
from cbec.report.page import Figure
from cbec.report.series import NAIVE, SELLER, WORDS, tone

if TYPE_CHECKING:
    from cbec.report.page import Page, View


def backtest(page: Page, view: View) -> None:
    """Accuracy over rolling origins: every method beside the seasonal naive and the seller formula."""
    frame = view.table("backtest", "model", "demand_class", "horizon", "wape")
    page.section("Verdict")
    if frame is None:
        page.text("No series had enough history for a backtest.")
        return
    every = frame.filter((pl.col("demand_class") == "all") & (pl.col("horizon") == "all"))
    ranked = every.drop_nulls("wape").sort(["wape", "model"])
    rows = {str(r["model"]): r for r in ranked.iter_rows(named=True)}
    naive = next((rows[m] for m in NAIVE if m in rows), None)
    seller = next((rows[m] for m in SELLER if m in rows), None)
    chosen = next((r for r in rows.values() if r.get("verdict") == "chosen"), next(iter(rows.values()), None))
    if chosen is not None:
        page.text(_verdict(chosen, naive, seller), *_hindsight(chosen, rows))
        page.figures(_backtest_tiles(chosen, naive, seller))
        page.section("Error of every method")
        _wape_bars(page, rows, naive)
        stockplan.record(page, view, rows)
    _by_class(page, frame)
    page.section("Rows")
    first = [] if chosen is None else [pl.col("model") != chosen["model"]]
    page.table(
        frame.sort([*first, "model", "demand_class"], maintain_order=True),
        "Backtest",
        contract="backtest",
        formats=_SHARES,
    )
    fixed = ("origin", "WAPE", "bias", "MASE", "RMSSE", "sMAPE", "WQL", "coverage", "value added", "q05, q95")
    glossary.words(page, fixed, frame["model"], frame["demand_class"])


_SHARES: dict[str, Any] = WORDS | dict.fromkeys(
    ("wape", "bias", "coverage_90", "coverage_95", "value_added", "value_added_seller"), "percent"
)


OURS = "cbec"
_ADDED = {"value_added": "error saved against naive", "value_added_seller": "against the seller formula"}


def _verdict(chosen: dict[str, Any], naive: dict[str, Any] | None, seller: dict[str, Any] | None) -> str:
    said = [
        f"{chosen['model']} has an error (WAPE) of {percent(chosen['wape'])}, over {of(int(chosen['series']), 'series')} and {of(int(chosen['origins']), 'origin')}."
    ]
    for what, other in (("the seasonal naive", naive), ("the seller formula", seller)):
        if other is None or not other["wape"] or other is chosen:
            continue
        change = 1 - chosen["wape"] / other["wape"]
        said.append(
            f"That is {percent(abs(change))} {'less' if change > 0 else 'more'} than {what} ({percent(other['wape'])})."
            if round(change, 4)
            else f"That is no better than {what}."
        )
    if naive is not None and chosen is not naive and chosen["wape"] >= naive["wape"]:
        said.append("It does not beat the naive method: use the naive one.")
    if chosen is naive:
        said.append("No method beat it, so it is the one to use.")
    return " ".join(said)


def _hindsight(chosen: dict[str, Any], rows: dict[str, dict[str, Any]]) -> list[str]:
    """The best method by this very record, which nobody could know before: said, since it may be the better choice now."""
    best = next(iter(rows.values()))
    if best is chosen or best["wape"] >= chosen["wape"]:
        return []
    return [
        f"In hindsight {best['model']} alone had less error ({percent(best['wape'])}); {chosen['model']} had to choose without it."
    ]


def _backtest_tiles(
    chosen: dict[str, Any], naive: dict[str, Any] | None, seller: dict[str, Any] | None
) -> list[Figure | None]:
    coverage = figure(chosen.get("coverage_90"))
    return [
        Figure(
            f"Error (WAPE) of {chosen['model']}",
            percent(chosen["wape"]),
            "",
            tone(chosen["wape"], None if naive is None else naive["wape"]),
        ),
        None if naive is None or naive is chosen else Figure("Error of the seasonal naive", percent(naive["wape"])),
        None if seller is None else Figure("Error of the seller formula", percent(seller["wape"])),
        Figure(
            "Bias",
            percent(chosen.get("bias")),
            "forecast above actual" if (chosen.get("bias") or 0) > 0 else "forecast below actual",
        ),
        None
        if coverage is None
        else Figure("Actuals inside the 90 % range", percent(coverage), "90 % would be honest"),
    ]


def _wape_bars(page: Page, rows: dict[str, dict[str, Any]], naive: dict[str, Any] | None) -> None:
    labels = list(rows)
    simple = [m in (*NAIVE, *SELLER) for m in labels]
    tones = ["grey" if s else "blue" for s in simple]
    for i, model in enumerate(labels):
        if rows[model].get("verdict") == "chosen":
            tones[i] = "green"
            labels[i] = f"{model} (chosen)"
    labels = [text.replace("_", " ") for text in labels]
    drawn = svg.bars(
        "Error by method", labels, {"WAPE": [r["wape"] for r in rows.values()]}, write=percent, tones=tones, hatched=simple,
        reference=None if naive is None else (naive["wape"], f"seasonal naive {percent(naive['wape'])}"), axis="WAPE: sum of absolute errors / sum of actuals",
    )  # fmt: skip
    page.chart(
        drawn,
        "Error by method, all classes and horizons",
        "Shorter is better. Hatched: the naive method and the seller formula, the yardsticks.",
    )


def _by_class(page: Page, frame: pl.DataFrame) -> None:
    whole = frame.filter((pl.col("horizon") == "all") & (pl.col("demand_class") != "all"))
    if whole.height:
        models, classes, cells = _grid(frame.filter(pl.col("horizon") == "all"), "demand_class")
        page.section("By class of demand and horizon")
        page.chart(
            svg.heatmap("Error by class", models, classes, cells, write=percent, note="darker = more error (WAPE)"),
            "Error (WAPE) by class of demand",
        )
    ahead = frame.filter(pl.col("demand_class") == "all")
    if ahead["horizon"].n_unique() > 2:
        models, bands, cells = _grid(ahead, "horizon")
        page.chart(
            svg.heatmap("Error by horizon", models, bands, cells, write=percent, note="darker = more error (WAPE)"),
            "Error (WAPE) by periods ahead",
        )
    ours = whole.filter(pl.col("verdict").is_in(("chosen", "loses to naive")), pl.col("model") == OURS)
    if ours.height:
        page.table(
            ours.sort("demand_class"), "Value added by cbec per class",
            columns=["demand_class", "series", "wape", "bias", "rmsse", "wql", "coverage_95", "value_added", "value_added_seller", "verdict"],
            contract="backtest", formats=_SHARES, labels=_ADDED | {"coverage_95": "at or under q95"},
        )  # fmt: skip
    if whole.height:
        best = (
            whole.drop_nulls("wape")
            .sort(["demand_class", "wape", "model"])
            .group_by("demand_class", maintain_order=True)
            .first()
        )
        judged = whole.filter(pl.col("model").is_in([*NAIVE, *SELLER])).pivot(
            "model", index="demand_class", values="wape", aggregate_function="first"
        )
        best = best.join(judged, on="demand_class", how="left", maintain_order="left")
        extra = [c for c in (*NAIVE, *SELLER) if c in best.columns]
        page.table(
            best, "Best method per class, in hindsight", columns=["demand_class", "series", "model", "wape", *extra, "value_added", "value_added_seller", "verdict"],
            contract="backtest", formats=_SHARES | dict.fromkeys(extra, "percent"), labels=_ADDED | {"model": "best method"},
        )  # fmt: skip


def _grid(frame: pl.DataFrame, across: str) -> tuple[list[str], list[str], list[list[float | None]]]:
    """Models by the values of a column: `all` first, best model first."""
    columns = sorted({str(c) for c in frame[across].to_list()}, key=lambda c: (c != "all", _leading(c), c))
    values = {(str(m), str(c)): figure(w) for m, c, w in frame.select("model", across, "wape").iter_rows()}
    best = {m: values.get((m, "all")) for m, _ in values}
    models = sorted(best, key=lambda m: (best[m] is None, best[m], m))[:20]
    cells = [[values.get((m, c)) for c in columns] for m in models]
    return [m.replace("_", " ") for m in models], columns, cells


def _leading(text: str) -> int:
    digits = text.split("-", maxsplit=1)[0].rstrip("+")
    return int(digits) if digits.isdigit() else 0
