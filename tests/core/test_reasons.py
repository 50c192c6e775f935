"""The catalogue of reasons."""

from __future__ import annotations

import polars as pl
import pytest

from cbec.core import reasons


def test_every_reason_is_told_in_english_and_chinese():
    for code, sentences in reasons.catalogue().items():
        assert set(sentences) == {"en", "zh"}, code
        fields = {lang: sorted(reasons._FIELD.findall(text)) for lang, text in sentences.items()}
        assert {f[0] for f in fields["en"]} == {f[0] for f in fields["zh"]}, code
        assert "{" not in reasons._FIELD.sub("", sentences["en"]), f"{code}: a field that cannot be filled"


def test_sentences_are_filled_from_the_row(monkeypatch):
    monkeypatch.setattr(
        reasons,
        "catalogue",
        lambda: {
            "a": {"en": "Order {qty:0} of {sku} at {price:2}.", "zh": "订购{qty:0}件{sku}，{price:2}。"},
            "b": {"en": "Enough.", "zh": "够了。"},
        },
    )
    frame = pl.DataFrame({"reason_code": ["a", "b"], "sku": ["007", "8"], "qty": [12.0, 3.0], "price": [1.256, 2.0]})
    again = frame.with_columns(reason_code=pl.lit("a"))[1:]
    assert reasons.render(again)["reason"].to_list() == ["Order 3 of 8 at 2.00."]
    assert reasons.render(frame)["reason"].to_list() == ["Order 12 of 007 at 1.26.", "Enough."]
    assert reasons.render(frame, "zh")["reason"].to_list() == ["订购12件007，1.26。", "够了。"]
    counted = {"a": {"en": "{n line are} worth {price:2} after {wait:0 day}.", "zh": "{n}行，{price:2}，{wait:0}天。"}}
    monkeypatch.setattr(reasons, "catalogue", lambda: counted)
    two = frame.with_columns(reason_code=pl.lit("a"), n=pl.Series([1, 1200]), wait=pl.Series([2.2, 1.0]))
    assert reasons.render(two)["reason"].to_list() == [
        "1 line is worth 1.26 after 2 days.",
        "1,200 lines are worth 2.00 after 1 day.",
    ]
    assert reasons.render(two, "zh")["reason"].to_list() == ["1行，1.26，2天。", "1200行，2.00，1天。"]
    with pytest.raises(KeyError):
        reasons.render(frame.with_columns(reason_code=pl.lit("c")))
