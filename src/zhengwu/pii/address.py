"""Addresses down to a door, by their structure: road and number, estate and block, village, group.

Looks for the small end first (`号`, `栋`, `单元`, `室`, `组`), which few texts have, and then
reads back to where the place begins. A region, a road or an estate alone is no address.
"""

import re
from collections.abc import Iterator

from zhengwu.pii.finding import Finding

REACH = 48
"""How many characters before a number its place may begin."""

_N = r"(?:\d{1,5}|[零〇一二三四五六七八九十百]{1,5})"
_DOOR = r"(?:[A-Za-z]?\d{2,4}|[零〇一二三四五六七八九]{3,4})"
_HAN = r"[\u4e00-\u9fff]"
_S = r"[ ]?"
_BLOCK = rf"(?:[A-Za-z甲乙丙丁东西南北]?{_N}|[A-Za-z甲乙丙丁]){_S}(?:号楼|号院|栋|幢|座|#楼?|楼)"
_UNIT = rf"(?:{_N}|[A-Za-z甲乙丙丁东西中]){_S}(?:单元|门(?!诊|口|面|槛|外|前))"
_ROOM = rf"{_DOOR}{_S}(?:室|房|号|户)?"
_ANCHOR = re.compile(
    rf"(?:{_N}|[A-Za-z甲乙丙丁])[ ]?(?:号|弄(?=[ ]?\d)|栋|幢|座|单元|组|社|队|村民小组|室|#)"
    rf"|(?<!\d)\d{{1,3}}-\d{{1,2}}-\d{{2,4}}(?![\d-])"
)
_FAST = re.compile(r"[号弄栋幢座组社队室#]|单元|\d-\d")
_TAIL = re.compile(
    rf"{_S}(?:"
    rf"(?P<road>(?:甲|乙|丙|附)?{_N}(?:-\d{{1,4}})?{_S}(?:号|弄{_S}{_N}{_S}号|弄)"
    rf"(?!线|令|文|公告|通知|桩|窗口|楼|院|前|后|下午|上午|以前|之前|晚|起|止|至|、)"
    rf"(?:附{_N}号)?)?"
    rf"{_S}(?P<estate>[\u4e00-\u9fff]{{2,12}}?(?={_S}(?:{_BLOCK}|{_UNIT})))?"
    rf"{_S}(?P<block>{_BLOCK})?{_S}(?P<unit>{_UNIT})?"
    rf"{_S}(?:(?P<floor>{_N}[层楼])?{_S}(?P<room>{_ROOM}))?"
    rf")"
)
_DASHED = re.compile(r"\d{1,3}-\d{1,2}-\d{2,4}(?![\d-])|\d{1,3}-\d{3,4}(?![\d-])")
_GROUP = re.compile(
    rf"{_S}(?:第?{_N}{_S}(?:村民小组|居民小组|组|社|队|屯)(?!织|会|区|长|员|保|团|建|合|数)"
    rf"(?:{_S}{_N}{_S}号)?|{_N}{_S}号(?!线|令|文|公告|通知|楼))"
)
_GAP = r"[ ,，]?$"
_ROAD_BEFORE = re.compile(
    rf"{_HAN}{{1,8}}(?:路|街|大道|道|巷|胡同|弄|里|条|大街|公路)(?:[东西南北中上下]段?|段)?{_GAP}"
)
_NO_ROAD = re.compile(
    r"(?:铁路|公路|道路|线路|网路|渠道|频道|报道|知道|街道|这条|[一二三几两]条|里)[ ]?$"
)
_VILLAGE_BEFORE = re.compile(
    rf"{_HAN}{{1,8}}(?:村|庄|屯|嘎查|寨|堡|沟|洼|坪|湾|岭|坝|社区|嘴|塘|冲|坳|埠|营|庙|店|集|窝|垸|圩)"
    + _GAP
)
_TOWN = re.compile(rf"{_HAN}{{1,8}}(?:镇|乡|苏木|街道|街道办事处|县|区|旗)[ ,，]?{_HAN}{{1,8}}$")
_ESTATE = re.compile(
    r"(?:小区|花园|家园|公寓|佳苑|苑|华庭|名邸|新村|山庄|公馆|家属院|宿舍|大院|广场|大厦|城|府|湾|园|居"
    r"|庭|天街|里|[一二三四]期|社区|楼|中心|村|院|邸|轩|阁|墅|郡|岸|坊|寓|区|厦)" + _GAP
)
_CUE = re.compile(
    r"(?:住在|住址|住|地址|家在|寄[到往至给]|送[到往至]|位于|收件|户籍|现居|坐落|居住)[^，。；]{0,12}$"
)
_START = re.compile(
    r".*(?:居住[于在]|位于|坐落[于在]|(?:地址|住址|所在地)[为是]?|寄[到往至给]|送[到往至]|户籍[为是在地]*"
    r"|收件人住|家[住在]|现住|反映|[您你]好|请问|关于|来自|前往|我是|[我咱]们|投诉|举报"
    r"|[，。！？；：:、,;!?\n“”\"'《》〈〉<>（）()【】\[\]=\|的将把了]"
    r"|(?<![和平安])[在住]+于?(?![安平])|[到往至为是从由](?=[\u4e00-\u9fff]{2}|[A-Za-z\d]))",
    re.S,
)
_PROVINCE = re.compile(
    r"(?:北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|"
    r"海南|四川|贵州|云南|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门|示范)(?:省|市|壮族自治区|"
    r"回族自治区|维吾尔自治区|自治区|特别行政区)?"
)


def addresses(text: str) -> Iterator[Finding]:
    """Every address in a plain text, in order, none overlapping."""
    if not _FAST.search(text):
        return
    done = 0
    for anchor in _ANCHOR.finditer(text):
        if anchor.start() < done:
            continue
        found = _read(text, anchor.start(), done)
        if found is not None:
            done = found.end
            yield found


def _read(text: str, at: int, done: int) -> Finding | None:
    """The address whose first number is at `at`, if it is one."""
    before = text[max(done, at - REACH) : at]
    end = _end(text, at, before)
    if end is None:
        return None
    return Finding(at - len(before) + _beginning(before), end, "address")


def _end(text: str, at: int, before: str) -> int | None:
    dashed = _DASHED.match(text, at)
    if dashed and _ESTATE.search(before):
        return dashed.end()
    group = _GROUP.match(text, at)
    if group and (_VILLAGE_BEFORE.search(before) or _in_town(before, group[0])):
        return group.end()
    tail = _TAIL.match(text, at)
    if tail is None or tail.end() == at:
        return None
    on_road = _ROAD_BEFORE.search(before) is not None and not _NO_ROAD.search(before)
    if tail["road"] and (on_road or (_CUE.search(before) and len(before) > 2)):
        return _close(text, tail)
    if tail["road"] and not (tail["block"] or tail["unit"]):
        return None
    parts = sum(bool(tail[name]) for name in ("block", "unit", "room"))
    named = _ESTATE.search(before) or _CUE.search(before)
    return _close(text, tail) if parts >= 2 and (named or tail["room"]) and before else None


def _in_town(before: str, group: str) -> bool:
    """Whether a group stands straight after a town: `五里镇三组`. A number would be no group."""
    return "号" not in group and _TOWN.search(before) is not None


def _close(text: str, tail: re.Match[str]) -> int:
    """The end, without what only looks like a door: a year, an amount, another number."""
    end = tail.end()
    if tail["room"] and re.match(r"[\d.年月日元万%个户平米层型]", text[end : end + 1] or " "):
        end = tail.start("floor") if tail["floor"] else tail.start("room")
    return end - (len(text[:end]) - len(text[:end].rstrip(" ,，")))


def _beginning(before: str) -> int:
    """Where the place begins: at a province, or after the last word that leads to a place."""
    lead = _START.match(before)
    start = lead.end() if lead else 0
    provinces = [match.start() for match in _PROVINCE.finditer(before, start)]
    if provinces and provinces[0] - start <= 6:
        start = provinces[0]
    while start < len(before) and before[start] in " ,，于":
        start += 1
    return start
