"""The model: same bytes, contributions that add up, kept as text, refused when it is none."""

from __future__ import annotations

import json
from unittest import mock

import numpy as np
import polars as pl
import pytest

from cbec.core.errors import InputRejected, NoAnswer
from cbec.methods.fraud import level
from cbec.methods.fraud import model as models

NAMES = ["a", "b", "c"]


def data(rows: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(rows, 3))
    values[rng.random(rows) < 0.1, 1] = np.nan
    fraud = rng.random(rows) < level.logistic(-4 + 2 * values[:, 0])
    return values, fraud


@pytest.fixture(autouse=True, scope="module")
def few_rounds():
    with mock.patch.object(models, "ROUNDS", 30):
        yield


@pytest.fixture(scope="module")
def trained() -> models.Model:
    values, fraud = data()
    text = models.fit(values, fraud, NAMES, seed=0)
    slope, offset = level.calibrate(models.raw(text, values), fraud)
    return models.Model(text, tuple(NAMES), slope, offset, {"currency": "EUR", "given_columns": []})


def frame() -> pl.DataFrame:
    return pl.DataFrame(data()[0], schema=NAMES).with_columns(pl.col("b").fill_nan(None))


def test_the_same_labels_give_the_same_bytes_and_another_seed_does_not():
    values, fraud = data()
    once, again = (models.fit(values, fraud, NAMES, seed=0) for _ in range(2))
    assert once == again
    assert once != models.fit(values, fraud, NAMES, seed=1)


def test_the_score_is_a_probability_that_orders(trained):
    values, fraud = data()
    p = trained.score(frame())
    assert ((p > 0) & (p < 1)).all()
    assert p[fraud].mean() > 3 * p[~fraud].mean()
    assert p.mean() == pytest.approx(fraud.mean(), rel=0.05)
    assert models.importance(trained.text, 1)[0][0] == "a"
    assert np.corrcoef(p, values[:, 0])[0, 1] > 0.5


def test_a_rows_score_depends_on_no_other_row(trained):
    whole = trained.score(frame())
    assert (trained.score(frame()[100:101]) == whole[100:101]).all()
    assert (trained.score(frame().reverse()) == whole[::-1]).all()
    assert len(trained.score(frame().head(0))) == 0


def test_contributions_add_up_to_the_log_odds(trained):
    import lightgbm

    parts = trained.contributions(frame())
    assert parts.shape == (1500, 3)
    booster = lightgbm.Booster(model_str=trained.text)
    bias = np.asarray(booster.predict(models.matrix(frame(), NAMES), pred_contrib=True))[0, -1]
    logit = np.log(trained.score(frame()) / (1 - trained.score(frame())))
    assert np.allclose(parts.sum(axis=1) + trained.slope * bias + trained.offset, logit, atol=1e-6)
    assert trained.contributions(frame().head(0)).shape == (0, 3)


def test_it_is_kept_as_text(trained, tmp_path):
    for name, content in trained.files().items():
        (tmp_path / name).write_bytes(content)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.json", "features.json", "model.txt"]
    again = models.load(str(tmp_path))
    assert again == trained
    assert (again.score(frame()) == trained.score(frame())).all()


def test_what_is_no_model_is_refused(trained, tmp_path):
    with pytest.raises(InputRejected, match=r"no features\.json there"):
        models.load(str(tmp_path))
    for name, content in trained.files().items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "features.json").write_text("{")
    with pytest.raises(InputRejected, match="not a model"):
        models.load(str(tmp_path))
    told = json.loads(trained.files()["features.json"]) | {"feature_set": 0}
    (tmp_path / "features.json").write_text(json.dumps(told))
    with pytest.raises(NoAnswer, match="made for other features"):
        models.load(str(tmp_path))


def test_a_refused_training_leaves_the_model_before_it_or_the_detectors(trained, tmp_path):
    (tmp_path / "training.json").write_bytes(models.training(False, "no better than the amount")["training.json"])
    none, told = models.latest(str(tmp_path))
    assert none is None and "no better than the amount" in told[0]
    for name, content in trained.files().items():
        (tmp_path / name).write_bytes(content)
    before, told = models.latest(str(tmp_path))
    assert before == trained and "the model before it is used" in told[0]
    (tmp_path / "training.json").write_bytes(models.training(True)["training.json"])
    assert models.latest(str(tmp_path)) == (trained, [])
    (tmp_path / "training.json").write_text("[]")
    with pytest.raises(InputRejected, match=r"training\.json is not of"):
        models.latest(str(tmp_path))
