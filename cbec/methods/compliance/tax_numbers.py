"""Tax numbers judged by their published formats and check digits, with python-stdnum.

A number that passes is format-valid, never registered: whether a business holds it only the tax authority's register
knows (VIES, HMRC), which is not asked. What python-stdnum leaves open is decided here, each with its source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

import polars as pl

from cbec.core.codes import COUNTRIES, MEANT
from cbec.core.command import Finding, Result

VALID, MALFORMED, UNKNOWN = "format-valid", "malformed", "unknown"

UNION = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT",
    "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
RULES = {
    **{code: f"{code.lower()}.vat" for code in UNION},
    "EE": "ee.kmkr", "GB": "gb.vat", "XI": "gb.vat", "EU": "eu.oss", "IM": "eu.oss",
    "AD": "ad.nrt", "AU": "au.abn", "BR": "br.cnpj", "CA": "ca.bn", "CH": "ch.uid", "CN": "cn.uscc", "IL": "il.hp",
    "IN": "in.gstin", "IS": "is.vsk", "JP": "jp.cn", "KR": "kr.brn", "MX": "mx.rfc", "NO": "no.orgnr",
    "NZ": "nz.ird", "RS": "rs.pib", "RU": "ru.inn", "TR": "tr.vkn", "TW": "tw.ubn", "UA": "ua.edrpou",
    "US": "us.ein", "VN": "vn.mst",
}  # fmt: skip
"""Module of python-stdnum whose check is that of a country's business tax numbers. EU and IM are no countries here:
numbers of the one-stop shops for sellers outside the EU and for imports. Singapore is left out: its GST numbers have
forms whose check is not published."""
SUFFIXES = {"NO": ("MVA",), "CH": ("MWST", "TVA", "IVA", "TPV")}
"""Written behind a number that is registered for VAT; the business number before it bears the check digit."""
_LABEL = re.compile(r"^(?:ABN|ACN|GST(?:IN)?|UEN|IRD|TIN|VAT|CNPJ|RFC|USCC|EIN)\b[^A-Z0-9]*")
_SEPARATORS = str.maketrans("", "", " \t\u00a0\u202f.-/")
_LED = frozenset((*UNION, "GB", "XI"))
"""Countries whose VAT numbers are quoted with their prefix."""
_WHOLE = frozenset(("EU", "IM", "CH"))
"""Their two letters are a part of the number."""
_CODES = {"EL": "GR", **{code: code for code in RULES}}
#: First numbers of the series beginning with 1 were given out in autumn 2023 (FPS Economy, "Enterprise numbers starting
#: with 1"), in ascending order; 1006.023.325 was met in September 2024. What lies this far ahead is not given out yet.
_BE_NOT_YET = 1_100_000_000


class Verdict(NamedTuple):
    """What is said of one number.

    country: whose rules it was held against, None = none. number: normalised, with its prefix where the country uses
    one. verdict: format-valid, malformed, or unknown (no rule to judge by). reason_code: of configs/reasons.yaml.
    """

    country: str | None
    number: str
    verdict: str
    reason_code: str


def judge(number: str, country: str | None = None) -> Verdict:
    """Judge a tax number as written, by the country it is said to be of or by the prefix it bears.

    country: ISO 3166-1 alpha-2 (XI = Northern Ireland; GR and EL are both Greece). A number that bears the prefix of
    another country than the one said is held against that one's rules: a buyer in France may give a German number.
    """
    text = _LABEL.sub("", unicodedata.normalize("NFKC", number).strip().upper())
    own = prefix(text)
    said = _CODES.get(MEANT.get(country, country)) if country else None
    if said is None and own is None:
        return Verdict(country, text, UNKNOWN, "taxid_no_rules" if country else "taxid_no_country")
    found = [_against(text, code) for code in dict.fromkeys((said, own)) if code is not None]
    # What was written with a prefix is told by that prefix's rules where both refuse it.
    return next((v for v in found if v.verdict == VALID), found[-1])


def table(numbers: pl.DataFrame) -> pl.DataFrame:
    """The table tax_id_verdicts of the table tax_ids, in its order."""
    pairs = numbers.select("number", "country").unique()
    verdicts = [tuple(judge(number, country)) for number, country in pairs.iter_rows()]
    found = pairs.hstack(pl.DataFrame(verdicts, schema=_TOLD, orient="row"))
    suffix = pl.col("judged_by").replace_strict({c: s[0] for c, s in SUFFIXES.items()}, default=None)
    told = numbers.join(found, on=["number", "country"], how="left", nulls_equal=True, maintain_order="left")
    return told.with_columns(pl.coalesce("judged_by", "country").alias("_country"), suffix.alias("_suffix"))


_TOLD = dict.fromkeys(("judged_by", "normalised", "verdict", "reason_code"), pl.String)


def result(numbers: pl.DataFrame) -> Result:
    """The answer of `compliance taxid`."""
    told = table(numbers)
    wrong = told.filter(pl.col("verdict") == MALFORMED)
    counts = {verdict: told.filter(pl.col("verdict") == verdict).height for verdict in (VALID, MALFORMED, UNKNOWN)}
    findings = [
        Finding(f"malformed:{code}", "warn", code, MALFORMED, f"cannot be tax numbers of {code}: {n}, first {first}; ask the buyer again")
        for code, n, first in wrong.group_by("judged_by", maintain_order=True).agg(pl.len(), pl.col("number").first()).sort("judged_by").iter_rows()
    ]  # fmt: skip
    return Result(
        {"tax_id_verdicts": told},
        metrics={"numbers": told.height, **{k.replace("-", "_"): n for k, n in counts.items()}},
        findings=findings,
        notes=[
            "format-valid is not registered: whether a business holds a number only the register of its country knows"
        ],
    )


def prefix(number: str) -> str | None:
    """The country (or EU, IM) whose prefix a number in upper case bears, None where it bears none that is known."""
    return _CODES.get(number[:2])


def malformed(pairs: Iterable[tuple[str, str | None]]) -> list[bool]:
    """Whether each (number, country) is malformed. Callers pass distinct pairs: one takes some microseconds."""
    return [judge(number, country).verdict == MALFORMED for number, country in pairs]


def _against(text: str, country: str) -> Verdict:
    from stdnum import exceptions

    written = bare = text.translate(_SEPARATORS)
    note, suffix = "taxid_valid", ""
    if country in SUFFIXES:
        suffix = next((s for s in SUFFIXES[country] if bare.endswith(s)), "")
        bare, note = bare.removesuffix(suffix), "taxid_valid" if suffix else "taxid_valid_no_suffix"
    elif country == "EU" and bare[2:5] == "826" and re.fullmatch(r"EU\d{9}", bare):
        # One-stop-shop numbers by the United Kingdom (826), until 2020.
        return Verdict(country, bare, VALID, "taxid_valid_withdrawn")
    led = "EL" if country == "GR" else country
    if country not in _WHOLE:
        bare = bare.removeprefix(led).removeprefix(country)
    if country == "JP":  # the number of a qualified invoice issuer: T and the corporate number
        bare = bare.removeprefix("T")
    try:
        told = _check(country)(bare)
    except exceptions.ValidationError as refused:
        return Verdict(country, written, MALFORMED, _why(refused))
    reason = _unissued(told, country)
    if reason is not None:
        return Verdict(country, written, MALFORMED, reason)
    if country in _LED:
        told = led + told.removeprefix(led)
    return Verdict(country, told + suffix, VALID, note)


@cache
def _check(country: str) -> Callable[[str], str]:
    from stdnum.util import get_cc_module

    if country == "NZBN":
        from stdnum import ean

        return ean.validate
    package, name = RULES[country].split(".")
    module = get_cc_module(package, name)
    assert module is not None, f"python-stdnum has no {RULES[country]}"
    return module.validate


def _why(refused: Exception) -> str:
    from stdnum import exceptions

    kinds = {
        exceptions.InvalidChecksum: "taxid_check",
        exceptions.InvalidLength: "taxid_length",
        exceptions.InvalidComponent: "taxid_component",
    }
    return next((code for kind, code in kinds.items() if isinstance(refused, kind)), "taxid_format")


def _unissued(number: str, country: str) -> str | None:
    """The reason why a number with right check digits cannot have been given out."""
    digits = re.sub(r"\D", "", number)
    if country in ("GB", "XI") and len(digits) in (9, 12) and not _british(digits):
        return "taxid_not_issued"
    if country == "BE" and int(digits) >= _BE_NOT_YET:
        return "taxid_not_issued"
    # KMKR numbers begin with 10.
    if country == "EE" and not digits.startswith("10"):
        return "taxid_component"
    return None


def _british(digits: str) -> bool:
    """HM Revenue and Customs' two series, as in J. Gardner's published check of EU VAT numbers (braemoor.co.uk):
    check digits modulo 97 up to 9990000 but for two ranges kept for other uses (01 to 09 in front are references that
    are no VAT numbers), and modulo 97 less 55 from 1000001 on, since 2009."""
    head, check = int(digits[:7]), int(digits[7:9])
    old = -sum(w * int(d) for w, d in zip((8, 7, 6, 5, 4, 3, 2), digits, strict=False)) % 97
    first = old == check and 0 < head < 9_990_001 and not 100_000 <= head <= 999_999
    first = first and not 9_490_001 <= head <= 9_700_000
    return first or ((old + 42) % 97 == check and head > 1_000_000)


assert set(RULES) - {"EU"} <= COUNTRIES, "a rule for a code that is no country"
