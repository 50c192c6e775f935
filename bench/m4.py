"""M4: 23,000 yearly series, 6 years ahead, and 414 hourly series, 48 hours ahead (Makridakis, Spiliotis & Assimakopoulos
2020), through `forecast demand`, beside the competition's published figures.

`--part dev` holds out the last training periods instead of using the test part; everything was tuned there.

    python bench/m4.py [--set yearly|hourly] [--part test|dev]
"""

from __future__ import annotations

import argparse

import series
from harness import Table

#: Frequency, horizon, season of MASE, least known periods of a window inside the training part.
SETS = {"yearly": ("Y", 6, 1, 7), "hourly": ("H", 48, 24, 400)}
PUBLISHED = {
    "yearly": (
        ("Naive2", 16.342, 3.974),
        ("Theta", 14.593, 3.382),
        ("Comb", 14.848, 3.280),
        ("AutoETS (Nixtla's table)", None, 3.09),
        ("winner (Smyl)", 13.176, 2.980),
    ),
    "hourly": (
        ("seasonal naive", 13.912, 1.193),
        ("Theta", 18.138, 2.455),
        ("AutoARIMA (Nixtla's table)", None, 0.92),
        ("winner (Smyl)", 9.328, 0.893),
        ("best (Doornik)", 8.913, 0.801),
    ),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--set", choices=tuple(SETS), action="append")
    options.add_argument("--part", choices=("test", "dev"), default="test")
    chosen = options.parse_args()
    for name in chosen.set or SETS:
        frequency, h, m, least = SETS[name]
        known, actual = series.read(f"m4_{name}")
        if chosen.part == "dev":
            known, actual = series.earlier(known, h, least)
        out = Table(f"m4_{name}_{chosen.part}", f"M4 {name}, {chosen.part}: {len(known)} series, h={h}, MASE m={m}")
        made = series.forecast(known, frequency, h)
        out.rows.append(series.smooth_row("cbec forecast demand", made, actual, known, m))
        out.rows.append(series.point_row("seasonal naive, measured here", made.naive, actual, known, m))
        if chosen.part == "test":
            out.rows += [{"program": f"{p}, published", "sMAPE": s, "MASE": a} for p, s, a in PUBLISHED[name]]
        out.notes.append("methods chosen: " + made.methods)
        out.finish()


if __name__ == "__main__":
    main()
