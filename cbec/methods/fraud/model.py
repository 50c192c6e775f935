"""The trained score: LightGBM on causal features, its probability calibrated on later payments; kept as text, never a pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cbec.core.errors import InputRejected, NoAnswer
from cbec.methods.fraud.level import logistic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Matrix = NDArray[np.float32]
    Flags = NDArray[np.bool_]

#: Changed whenever a feature of the same name means something else.
FEATURE_SET = 1
TRAINING = "training.json"
ROUNDS = 300
#: Small, slow trees, and many bins: with the default of 255 the rare large amounts share one bin, which costs average
#: precision and does not show in the area under the ROC curve. One thread: the same bytes on every machine.
PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "max_bin": 2047,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.7,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Model:
    """A trained model. text: LightGBM's own format; names: its features in order; slope and offset: the calibration
    probability = 1 / (1 + exp(-(offset + slope x raw score))); card: what a person should know of it."""

    text: str
    names: tuple[str, ...]
    slope: float
    offset: float
    card: Mapping[str, Any]

    def files(self) -> dict[str, bytes]:
        """model.txt, features.json, card.json."""

        def as_json(value: object) -> bytes:
            return (json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n").encode()

        told = {"feature_set": FEATURE_SET, "features": list(self.names), "slope": self.slope, "offset": self.offset}
        return {"model.txt": self.text.encode(), "features.json": as_json(told), "card.json": as_json(dict(self.card))}

    def score(self, frame: pl.DataFrame) -> Floats:
        """Calibrated probability of fraud per row."""
        return logistic(self.offset + self.slope * raw(self.text, matrix(frame, self.names)))

    def contributions(self, frame: pl.DataFrame) -> Floats:
        """Per row and feature what it adds to the log odds (TreeSHAP inside LightGBM), the constant left out."""
        if not frame.height:
            return np.zeros((0, len(self.names)))
        found = _booster(self.text).predict(matrix(frame, self.names), pred_contrib=True, num_threads=1)
        return self.slope * np.asarray(found, dtype=np.float64)[:, :-1]


def matrix(frame: pl.DataFrame, names: Sequence[str]) -> Matrix:
    """The features as rows x columns in single precision, null as NaN."""
    import polars as pl

    columns = frame.select(pl.col(n).cast(pl.Float32).fill_null(float("nan")) for n in names)
    return columns.to_numpy()


def fit(values: Matrix, fraud: Flags, names: Sequence[str], seed: int) -> str:
    """Train on rows of features; gives back the model as text."""
    import lightgbm

    # A leaf holds at least some frauds' worth of payments, or few labels would be learnt by heart.
    leaf = int(np.clip(fraud.sum() // 5, 5, 50))
    # Frauds weigh more, by the root of their rarity; calibration takes the bias out of the probability again.
    weight = float(np.sqrt((~fraud).sum() / max(fraud.sum(), 1)))
    parameters = PARAMETERS | {"seed": seed, "min_data_in_leaf": leaf, "scale_pos_weight": weight}
    data = lightgbm.Dataset(
        values, label=fraud.astype(np.float64), feature_name=list(names), params=parameters, free_raw_data=True
    )
    return str(lightgbm.train(parameters, data, num_boost_round=ROUNDS).model_to_string())


def raw(text: str, values: Matrix) -> Floats:
    """Log odds as the trees give them, before calibration."""
    if not len(values):
        return np.zeros(0)
    return np.asarray(_booster(text).predict(values, raw_score=True, num_threads=1), dtype=np.float64)


def importance(text: str, count: int) -> list[tuple[str, float]]:
    """The features that gained most, with their share of the whole gain."""
    booster = _booster(text)
    gain = np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    share = gain / (gain.sum() or 1.0)
    ranked = sorted(zip(booster.feature_name(), share.tolist(), strict=True), key=lambda item: (-item[1], item[0]))
    return [(str(name), float(value)) for name, value in ranked[:count] if value > 0]


def _booster(text: str) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=text)


def training(chosen: bool, why: str = "") -> dict[str, bytes]:
    """The file that says whether the last training gave a model that is good enough."""
    return {TRAINING: (json.dumps({"chosen": chosen, "why": why}, indent=1) + "\n").encode()}


def latest(folder: str) -> tuple[Model | None, list[str]]:
    """The model to score with, None = none is good enough; and what to say of it.

    A training that was refused leaves the model before it in its place. Raises InputRejected like `load`.
    """
    refused = _refused(folder)
    if refused is None:
        return load(folder), []
    if not (Path(folder) / "features.json").exists():
        return None, [f"no model of {folder} was ever good enough ({refused}): the detectors without labels decide"]
    return load(folder), [f"the last training was refused ({refused}): the model before it is used"]


def _refused(folder: str) -> str | None:
    try:
        told = json.loads((Path(folder) / TRAINING).read_text("utf-8"))
        return None if told["chosen"] else str(told["why"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, UnicodeDecodeError, NotADirectoryError) as error:
        raise InputRejected(f"--model {folder}: {TRAINING} is not of cbec fraud train ({error})") from None


def load(folder: str) -> Model:
    """The model in a folder that `fraud train` wrote; InputRejected where there is none or it is no such model."""
    place = Path(folder)
    try:
        told = json.loads((place / "features.json").read_text("utf-8"))
        card = json.loads((place / "card.json").read_text("utf-8"))
        text = (place / "model.txt").read_text("utf-8")
        model = Model(text, tuple(told["features"]), float(told["slope"]), float(told["offset"]), card)
        written = told["feature_set"]
    except FileNotFoundError as error:
        raise InputRejected(
            f"--model {folder}: no {Path(str(error.filename)).name} there", hint="cbec fraud train --model writes one"
        ) from None
    except (ValueError, KeyError, TypeError, UnicodeDecodeError, NotADirectoryError) as error:
        raise InputRejected(f"--model {folder}: not a model of cbec fraud train ({error})") from None
    if written != FEATURE_SET:
        raise NoAnswer(
            f"--model {folder}: made for other features (set {written}, this version has {FEATURE_SET})",
            hint="train it again: cbec fraud train",
        )
    return model
