"""Modes of transport: the many words of rate cards for a few ways to travel."""

from __future__ import annotations

import re

_WORDS = {
    "sea": "sea ocean vessel ship container fcl lcl 海运 海派 海卡 整柜 拼箱",
    "air": "air airfreight flight plane charter 空运 空派 空卡 包机",
    "rail": "rail railway train 铁路 铁派 班列 中欧班列",
    "road": "road truck ground ltl ftl hgv 公路 卡车 陆运 卡航 卡派 拖车",
    "express": "express courier parcel 快递 国际快递 商业快递",
    "barge": "barge inland waterway 驳船 内河",
}
_MODE = {word: mode for mode, words in _WORDS.items() for word in words.split()}


def of(word: str) -> str:
    """sea, air, rail, road, express or barge for a word of a rate card (`SEA_FCL`, `Ocean`, `海运`); else the word itself.

    The whole word is looked up first, then its parts in their order.
    """
    plain = word.strip().lower()
    parts = [plain, plain.replace(" ", ""), *re.split(r"[\s_/+,;|()-]+", plain)]
    return next((_MODE[p] for p in parts if p in _MODE), plain)
