"""Classes of demand (Syntetos, Boylan & Croston 2005) of 10,644 spare parts, beside the labels published with them.

AUTO: 3,000 series of which 17 months are known, OIL: 7,644 with 38 (the first 70 % of de Haan 2021, cleaned).

    python bench/demand_classes.py
"""

from __future__ import annotations

import polars as pl
from harness import Table, data_folder, timed

from cbec.methods.forecast.classes import classify

KNOWN = {"AUTO": 17, "OIL": 38}


def main() -> None:
    folder = data_folder("forecast") / "spare_parts"
    table = Table("demand_classes", "Spare parts: classes of demand beside the published labels")
    for name, known in KNOWN.items():
        long = pl.read_parquet(folder / f"{name}_clean_long.parquet")
        labels = pl.read_parquet(folder / f"{name}_classification.parquet")
        first = long.filter(pl.col("t") <= known).sort("unique_id", "t")
        units = first["y"].cast(pl.Float64).to_numpy().reshape(-1, known)
        wanted = labels.sort("unique_id")["Classification"].str.to_lowercase().to_numpy()
        (_, _, classes), seconds = timed(lambda u=units: classify(u))
        same = int((classes == wanted).sum())
        table.rows.append(
            {"set": name, "series": len(wanted), "labels met": same, "share": same / len(wanted), "CPU s": seconds}
        )
    table.finish()


if __name__ == "__main__":
    main()
