"""Tax numbers: the public vectors of jsvat and python-stdnum, cbec beside python-stdnum alone."""

from __future__ import annotations

import csv
from collections import Counter

from harness import Table, data_folder, timed

from cbec.methods.compliance.tax_numbers import VALID, judge

COUNTRIES = {
    "andorra": "AD", "brazil": "BR", "norway": "NO", "russia": "RU", "serbia": "RS", "switzerland": "CH", "unitedKingdom": "GB",
}  # fmt: skip
"""Countries of the vectors outside the EU: theirs are the numbers that bear no prefix."""


def main() -> None:
    with (data_folder("compliance/vat_numbers") / "vat_vectors_open.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    asked = [(row["number"], COUNTRIES.get(row["country"])) for row in rows]
    told, _ = timed(lambda: [judge(*pair) for pair in asked])
    _, seconds = timed(lambda: [judge(*pair) for pair in asked])
    ours = Counter((row["expected"], v.verdict == VALID) for row, v in zip(rows, told, strict=True))
    peer = Counter((row["expected"], row["stdnum"] == "true") for row in rows)
    table = Table("vat_numbers", "Tax numbers: public vectors of 36 countries")
    for name, found in (("cbec", ours), ("python-stdnum 2.2 alone", peer)):
        valid, invalid = (found[kind, True] + found[kind, False] for kind in ("valid", "invalid"))
        table.rows.append(
            {"by": name, "valid": valid, "accepted": found["valid", True], "share %": 100 * found["valid", True] / valid, "bar %": 99.0}
            | {"invalid": invalid, "wrongly accepted": found["invalid", True], "bar": 0}
        )  # fmt: skip
    table.notes = [
        f"{1e6 * seconds / len(rows):.1f} CPU microseconds per number",
        *(
            f"not as expected ({row['expected']}): {row['country']} {row['number']}: {v.reason_code}"
            for row, v in zip(rows, told, strict=True)
            if (v.verdict == VALID) != (row["expected"] == "valid")
        ),
    ]
    table.finish()


if __name__ == "__main__":
    main()
