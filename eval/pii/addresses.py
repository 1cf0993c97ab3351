"""Writes addresses as people write them, and sentences that look like them and hold none.

`cases/addresses.jsonl` came from here with the seed below, before the detector was tuned, and is
frozen: its digest stands in a test. The places are a model city's, put together by chance.
"""

import random
from collections.abc import Callable
from typing import Any

SEED = 20261124
PROVINCES = [
    "示范省",
    "浙江省",
    "广西壮族自治区",
    "湖南",
    "四川省",
    "内蒙古自治区",
    "河北省",
    "江苏",
]
CITIES = ["示范市", "临川市", "安和市", "平海市", "新港市", "云岭自治州", "北原市"]
DISTRICTS = ["城东区", "高新区", "清河县", "望江区", "东湖区", "安宁市", "南岭自治县", "镇北旗"]
STREETS = ["建设街道", "和平街道", "新华街道", "桥头街道", "城关街道办事处"]
TOWNS = ["五里镇", "石桥镇", "白马乡", "柳林镇", "双河乡", "大营子苏木", "回龙彝族乡"]
ROADS = ["人民路", "解放大道", "中山北路", "文化西街", "学府路", "滨江东路", "菊儿胡同",
         "槐荫巷", "建设大街", "环城南路", "科技三路", "望海大道", "纬二路", "铁东街",
         "香樟大道中段"]  # fmt: skip
ESTATES = ["幸福小区", "阳光花园", "翠湖家园", "金桂苑", "锦绣华庭", "万和城", "东方明珠公寓",
           "学府名邸", "紫荆花园二期", "安居苑", "滨河新村", "和谐佳苑", "御景湾", "中央公馆",
           "怡景山庄", "电厂家属院", "纺织厂宿舍", "龙湖天街"]  # fmt: skip
VILLAGES = ["王家村", "李庄村", "大石桥村", "上河村", "红旗村", "朱家嘴村", "巴彦嘎查", "赵家屯",
            "后坪村", "杨柳青庄"]  # fmt: skip
CHINESE = "零一二三四五六七八九十"
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def _number(draw: random.Random, most: int = 300) -> str:
    return str(draw.randint(1, most))


def _small(draw: random.Random) -> str:
    number = draw.randint(1, 10)
    return draw.choice([str(number), CHINESE[number]])


def _door(draw: random.Random) -> str:
    if draw.random() < 0.15:
        digits = [draw.randint(1, 9), 0, draw.randint(1, 6)]
        return "".join(CHINESE[digit] for digit in digits)
    return f"{draw.randint(1, 33)}0{draw.randint(1, 8)}"


def _region(draw: random.Random) -> str:
    levels = [draw.choice(PROVINCES), draw.choice(CITIES), draw.choice(DISTRICTS)]
    return "".join(levels[draw.randint(0, 2) :])


def _building(draw: random.Random) -> str:
    block = draw.choice(["栋", "幢", "号楼", "座"])
    name = draw.choice("ABC") if block == "座" else _small(draw)
    unit = draw.choice([f"{_small(draw)}单元", "", f"{_small(draw)}单元"])
    return f"{name}{block}{unit}{_door(draw)}{draw.choice(['室', '', '房', '号'])}"


def road_and_number(draw: random.Random) -> str:
    """A road, a number, mostly a building."""
    lane = draw.choice(["号", "号", "号", f"弄{_number(draw, 60)}号"])
    region = _region(draw) + draw.choice(["", draw.choice(STREETS)])
    rest = draw.choice(["", draw.choice(ESTATES) + _building(draw), _building(draw)])
    return f"{region}{draw.choice(ROADS)}{_number(draw)}{lane}{rest}"


def bare_road(draw: random.Random) -> str:
    """A road and a number without any region."""
    return f"{draw.choice(ROADS)}{_number(draw)}号{draw.choice(['', _building(draw)])}"


def estate(draw: random.Random) -> str:
    """An estate and a door."""
    region = draw.choice(["", _region(draw), _region(draw) + draw.choice(STREETS)])
    if draw.random() < 0.2:
        door = f"{_number(draw, 30)}-{draw.randint(1, 4)}-{_door_digits(draw)}"
        return f"{region}{draw.choice(ESTATES)}{door}"
    return f"{region}{draw.choice(ESTATES)}{_building(draw)}"


def _door_digits(draw: random.Random) -> str:
    return f"{draw.randint(1, 33)}0{draw.randint(1, 8)}"


def rural(draw: random.Random) -> str:
    """A town, a village, a group, perhaps a number."""
    region = draw.choice(["", _region(draw)])
    group = draw.choice([f"{_small(draw)}组", f"第{_small(draw)}村民小组", f"{_small(draw)}社",
                         f"{_number(draw, 200)}号",
                         f"{_small(draw)}组{_number(draw, 90)}号"])  # fmt: skip
    return f"{region}{draw.choice(TOWNS)}{draw.choice(VILLAGES)}{group}"


def _spaced(draw: random.Random, text: str) -> str:
    for mark in ("省", "市", "区", "街道", "路", "镇"):
        text = text.replace(mark, mark + " ", 1) if draw.random() < 0.7 else text
    return text.strip()


FORMS: list[Callable[[random.Random], str]] = [road_and_number, bare_road, estate, rural]
AROUND = [
    "我住在{}，楼上漏水没人管。",
    "地址：{}",
    "家庭住址 {}，请派人来看一下",
    "请把证件寄到{}，谢谢。",
    "{}的路灯坏了三天了",
    "反映{}有人养鸡扰民，希望处理。",
    "本人户籍所在地为{}。",
    "我家在{}，想问孩子上哪所小学？",
    "收件人住{}",
    "位于{}的房屋已登记在我名下，怎么办理过户？",
    "您好，{}门口的井盖坏了。",
    "申请人现居住于{}，特申请临时救助。",
]

LOOKALIKE = [
    "{road}施工什么时候结束？",
    "{road}街道办事处几点上班？",
    "{region}有哪些人才补贴政策？",
    "{region}的最低工资标准是多少？",
    "{estate}的物业费收费标准合理吗？",
    "{town}政府的联系方式是什么？",
    "{town}的乡村振兴项目有哪些？",
    "{road}到{road2}之间的公交改线了吗？",
    "国发〔20{n2}〕{n}号文件的主要内容是什么？",
    "{region}人民政府令第{n}号什么时候施行？",
    "地铁{n1}号线几点收车？",
    "每月{n2}号前要缴社保吗？",
    "{n1}月{n2}号去{region}政务中心能办吗？",
    "政务大厅{n1}号窗口办理什么业务？",
    "老旧小区加装电梯需要{n1}个单元同意吗？",
    "一栋楼有{n1}个单元，可以分开申请加装电梯吗？",
    "全镇{n2}个村{n}个组都通了自来水吗？",
    "行政村和自然村有什么区别？",
    "村民小组长怎么选举？",
    "小区业主大会多少户同意才能换物业？",
    "{region}公安局第{n}号公告在哪里查？",
    "新修的公路长{n}公里，经过{n1}个乡镇。",
    "省道{n}改造期间怎么绕行？",
    "宅基地面积不得超过{n}平方米，{n1}口人可以多批吗？",
    "商品房{n1}室{n1b}厅和公寓的契税一样吗？",
    "房屋面积{n}平方米，楼层{n1}层，评估价{n}万元。",
    "{town}卫生院能异地结算吗？",
    "{region}{road}派出所可以办身份证吗？",
    "{road}小学的招生范围怎么划分？",
    "请问{estate}属于哪个街道？",
    "第{n1}组数据显示居民收入增长{n1b}%。",
    "《{region}城市房屋管理办法》第{n2}条怎么理解？",
    "{n1}号楼和{n1b}号楼之间能停车吗？",
    "公租房{n2}平方米的房租是每月{n}元吗？",
    "{region}今年完成{n}个小区、{n2}栋楼的改造。",
    "{road}上的路灯一共{n}盏。",
    "高速公路{n}号桩附近发生事故找谁？",
    "请问{n1}路公交车经过{estate}吗？",
    "{estate}东门外的夜市几点收摊？",
    "省里的{n}号通知和市里的{n2}号通知哪个有效？",
]


def positive(draw: random.Random) -> dict[str, Any]:
    """One sentence with an address in it."""
    address = draw.choice(FORMS)(draw)
    turn = draw.random()
    if turn < 0.08:
        address = address.translate(WIDE)
    elif turn < 0.18:
        address = _spaced(draw, address)
    before, after = draw.choice(AROUND).split("{}")
    at = len(before)
    entity = {"start": at, "end": at + len(address), "kind": "address"}
    return {"text": before + address + after, "entities": [entity]}


def negative(draw: random.Random) -> dict[str, Any]:
    """One sentence that speaks of places and numbers and gives no address."""
    given = {
        "road": draw.choice(ROADS),
        "road2": draw.choice(ROADS),
        "region": _region(draw),
        "estate": draw.choice(ESTATES),
        "town": draw.choice(TOWNS),
        "n": draw.randint(100, 999),
        "n1": draw.randint(1, 9),
        "n1b": draw.randint(1, 3),
        "n2": draw.randint(10, 28),
    }
    return {"text": draw.choice(LOOKALIKE).format(**given), "entities": []}


def written(count: int, seed: int = SEED) -> list[dict[str, Any]]:
    """`count` distinct sentences with an address and as many without."""
    draw = random.Random(seed)
    return [*_distinct(positive, draw, count), *_distinct(negative, draw, count)]


def _distinct(
    make: Callable[[random.Random], dict[str, Any]], draw: random.Random, count: int
) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    while len(found) < count:
        case = make(draw)
        found.setdefault(case["text"], case)
    return list(found.values())
