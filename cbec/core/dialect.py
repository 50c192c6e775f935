"""How a text export is written: its encoding and its delimiter, told from its bytes.

Nothing here depends on the suffix of a file. An encoding that cannot be told is an error that asks.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from cbec.core.errors import InputRejected, UsageFault

CHUNK = 4 << 20
DELIMITERS = ",;\t|"

_HIGH = re.compile(rb"[\x80-\xff]")
_UTF8_PAIRS = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# The characters that make up most of any modern Chinese text, and those of trade exports. The bytes of other
# alphabets read as GB18030 give characters of the GB2312 range too, but seldom these.
_FREQUENT = frozenset(
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没"
    "日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美"
    "点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关"
    "并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更"
    "反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃"
    "订单号编码商品库存仓数量价格币种金额税费运输包装箱重尺寸类类型名称描述备注买卖客户供应采购销售渠道站店铺平台状态款付收发货"
    "退换促活活动售成本折扣优惠券邮政区省县街址电话联系箱品牌型规红黄蓝绿黑紫灰银棉布皮铁铜钢木纸玻璃塑料胶硅器灯线充源池手表镜"
    "衣裤裙鞋帽袋伞杯壶锅碗盘刀叉椅桌床柜架玩具童婴宠猫狗车载配件套壳膜耳机音响屏幕键盘鼠标美容护肤妆香洗厨房浴室家居园户外运动"
    "下始原目的产地英法德意日韩俄澳加巴西印泰越新马墨深圳广州上义乌杭宁波天津厦门青岛洛杉矶纽约伦敦汉堡鹿特丹尔斯克罗维亚利"
)


@dataclass(frozen=True)
class Survey:
    """What one pass over the bytes of a file tells."""

    utf8: bool
    nul: int | None
    quotes: bool
    returns_only: bool


def chunks(data: bytes | memoryview) -> Iterator[bytes]:
    """The bytes in pieces, so that nothing is copied whole."""
    view = memoryview(data)
    for start in range(0, len(view), CHUNK):
        yield bytes(view[start : start + CHUNK])


def survey(data: bytes | memoryview) -> Survey:
    """Is it UTF-8, is there a NUL byte (its offset), are there quotes, are lines ended by CR alone."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf8, nul, quotes, pending, lines, returns, offset = True, None, False, False, False, False, 0
    for chunk in chunks(data):
        if nul is None and (at := chunk.find(b"\0")) >= 0:
            nul = offset + at
        quotes = quotes or b'"' in chunk
        lines = lines or b"\n" in chunk
        returns = returns or b"\r" in chunk
        if utf8 and (pending or not chunk.isascii()):
            try:
                decoder.decode(chunk)
                pending = bool(decoder.getstate()[0])
            except UnicodeDecodeError:
                utf8 = False
        offset += len(chunk)
    return Survey(utf8 and not pending, nul, quotes, returns and not lines)


def encoding_by_mark(head: bytes) -> str | None:
    """The encoding that a byte order mark at the beginning declares."""
    return next((name for mark, name in _BOMS if head.startswith(mark)), None)


def known_encoding(name: str) -> str:
    """The usual name of a text encoding that Python knows; else a usage error."""
    try:
        "".encode(name)
    except LookupError:
        hint = "for instance utf-8, utf-16, gb18030, cp1252, big5, shift_jis"
        raise UsageFault(f'unknown encoding "{name}"', hint=hint) from None
    usual = codecs.lookup(name).name
    return "utf-8" if usual == "utf-8-sig" else usual


def guess_encoding(data: bytes | memoryview, name: str) -> str:
    """gb18030 or cp1252 for bytes that are not UTF-8, or InputRejected that asks for --encoding.

    gb18030 decodes most cp1252 text without complaint (a letter with its umlaut becomes one Chinese
    character), so that each is taken only where its characters are those such a text is made of.
    """
    if _chinese(data):
        return "gb18030"
    if _western(data):
        return "cp1252"
    raise InputRejected(
        f"{name}: the text is not UTF-8 ({_trouble(data, 'utf-8')}), and neither GB18030 nor cp1252 makes sense of it",
        hint="say how it is encoded, e.g. --encoding big5",
    )


def _trouble(data: bytes | memoryview, encoding: str) -> str:
    """The row and reason of the first byte that does not decode."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    pieces = [*chunks(data), b""]
    for at, piece in enumerate(pieces, 1):
        try:
            lines += decoder.decode(piece, final=at == len(pieces)).count("\n")
        except UnicodeDecodeError as error:
            lines += error.object[: error.start].decode(encoding, "ignore").count("\n")
            return f"row {lines}: {error.reason}"
        except UnicodeError as error:  # UTF-16 without its mark
            return str(error)
    return "it decodes"


def _characters(data: bytes | memoryview, encoding: str) -> Counter[str] | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    found: Counter[str] = Counter()
    try:
        for chunk in chunks(data):
            found.update(_BEYOND_ASCII.findall(decoder.decode(chunk)))
            if found.total() > 200_000:
                return found
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return found


def _chinese(data: bytes | memoryview) -> bool:
    found = _characters(data, "gb18030")
    if not found:
        return False
    usual = first_level = frequent = ideographs = kana = 0
    for character, times in found.items():
        kana += times * ("\u3040" <= character <= "\u30ff")
        if "\u4e00" <= character <= "\u9fff":
            ideographs += times
            frequent += times * (character in _FREQUENT)
        try:
            lead = character.encode("gb2312")[0]
        except UnicodeEncodeError:
            continue  # beyond GB2312: what the bytes of another encoding mostly give
        usual += times
        first_level += times * (0xB0 <= lead <= 0xD7)
    if usual < 0.8 * found.total() or first_level < 0.8 * ideographs or kana > 0.2 * usual:
        return False
    if ideographs >= 10 and frequent < 0.1 * ideographs:
        return False
    return not (frequent < 0.5 * ideographs and _korean(data))


def _korean(data: bytes | memoryview) -> bool:
    # Every EUC-KR syllable is a character of GB2312 too. Chinese read as EUC-KR is a third Hanja, Korean is none.
    found = _characters(data, "euc_kr")
    if found is None or found.total() < 6:
        return False
    return sum(times for c, times in found.items() if "\uac00" <= c <= "\ud7a3") >= 0.95 * found.total()


def _western(data: bytes | memoryview) -> bool:
    found = _characters(data, "cp1252")
    if not found:
        return False
    first = bytes(memoryview(data)[: 2 * CHUNK])
    # UTF-8 with a broken byte somewhere is no cp1252: what it says would turn to Ã¼ and the like.
    beyond = len(_HIGH.findall(first))
    if sum(map(len, _UTF8_PAIRS.findall(first))) > 0.2 * beyond:
        return False
    # A Western word has its accents among plain letters; other alphabets read as cp1252 are nothing but accents.
    text = first.decode("cp1252")
    plain = accents = 0
    for word in {w for w in "".join(c if c.isalpha() else " " for c in text).split() if not w.isascii()}:
        accents += sum(c > "\x7f" for c in word)
        plain += sum(c <= "\x7f" for c in word)
    signs = sum(times for c, times in found.items() if not c.isalpha())
    return (accents == 0 or plain >= accents) and signs <= 2 * max(found.total() - signs, 50)


def transcode(data: bytes | memoryview, encoding: str, name: str) -> bytes:
    """The bytes as UTF-8 without mark. InputRejected names the place of a byte that does not decode."""
    decoder = codecs.getincrementaldecoder(encoding)()
    target = io.BytesIO()
    try:
        for chunk in chunks(data):
            target.write(decoder.decode(chunk).encode())
        target.write(decoder.decode(b"", final=True).encode())
    except UnicodeError:
        hint = "say how it is encoded with --encoding"
        raise InputRejected(f"{name}: not {encoding} ({_trouble(data, encoding)})", hint=hint) from None
    return target.getvalue().removeprefix(codecs.BOM_UTF8)


def delimiter(head: str) -> str:
    """The delimiter of the first lines: the one that cuts them into most fields, evenly.

    A comma inside a header or a decimal comma in the cells does not mislead, since it cuts unevenly.
    """
    lines = io.StringIO(head, newline="").readlines()[:100]
    best, best_score = ",", (0, 0)
    for mark in DELIMITERS:
        try:
            rows = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
        except csv.Error:
            continue
        # The last line of a sample may be cut short.
        widths = rows[:-1] if len(rows) > 2 else rows
        if not widths or widths[0] < 2:
            continue
        even = sum(width == widths[0] for width in widths)
        score = (round(100 * even / len(widths)), widths[0])
        if score > best_score:
            best, best_score = mark, score
    return best
