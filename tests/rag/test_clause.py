"""The clause tree: real statutes, synthetic statutes (properties), policies, guides, annexes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhengwu.datasets.numerals import to_chinese, to_int
from zhengwu.datasets.parse import Block, ParsedDocument, parse
from zhengwu.datasets.parse.markdown import read_markdown
from zhengwu.datasets.parse.text import read_text
from zhengwu.rag.clause import Clause, build_clauses

LAWS = Path(__file__).resolve().parents[3] / "shared" / "data" / "laws"
HEADINGS = {"编", "分编", "章", "节", "标题", "附件"}
WORDS = st.text(
    "政务服务机关应当依法办理公民申请，不得拖延；材料齐全的予以受理", min_size=3, max_size=30
)


def squeeze(text: str) -> str:
    return "".join(text.split())


def whole(clauses: tuple[Clause, ...]) -> str:
    """Every text once, in order: headings, articles with their names, free paragraphs."""
    by_id = {c.id: c for c in clauses}
    parts: list[str] = []
    for c in clauses:
        if c.level in HEADINGS:
            parts.append(c.text)
        elif c.parent is None or by_id[c.parent].level in HEADINGS:
            parts.append((c.label if c.level == "条" else "") + c.text)
    return squeeze("".join(parts))


def doc(*texts: str) -> ParsedDocument:
    return ParsedDocument("题", tuple(Block("paragraph", text) for text in texts))


def ids(*texts: str) -> list[str]:
    return [c.id for c in build_clauses(doc(*texts))]


# --- real statutes ------------------------------------------------------------------------------


def independent_count(text: str) -> int:
    """Articles by a regular expression that shares nothing with the parser."""
    body = text.split("<!-- INFO END -->", 1)[-1].replace("\u200b", "")
    return len(re.findall(r"(?:^|。[ \u3000])第[一二三四五六七八九十百千零○]+条(?=\s)", body, re.M))


@pytest.mark.skipif(not LAWS.is_dir(), reason="the folder of statutes is not beside the checkout")
def test_every_article_of_429_statutes_is_found_and_nothing_is_lost() -> None:
    files = sorted(LAWS.rglob("*.md"))
    civil_code: list[int] = []
    gaps: list[str] = []
    articles = 0
    for path in files:
        parsed = parse(path)
        clauses = build_clauses(parsed)
        found = [c for c in clauses if c.level == "条"]
        assert len(found) == independent_count(path.read_text("utf-8")), path.name
        assert len({c.id for c in clauses}) == len(clauses), path.name
        assert whole(clauses) == squeeze("".join(b.text for b in parsed.blocks)), path.name
        numbers = [to_int(c.label[1:].split("条")[0]) for c in found]
        if any(b not in (a, a + 1) for a, b in zip(numbers, numbers[1:], strict=False)):
            gaps.append(path.stem)
        if path.parent.name == "民法典":
            civil_code += numbers
        articles += len(found)
    assert len(files) == 429 and articles == 22_560
    assert sorted(civil_code) == list(range(1, 1261))
    # Its last articles quote the section it inserts, which begins at 第一百二十三条.
    assert gaps == ["宪法修正案（2018年）"]


# --- synthetic statutes -------------------------------------------------------------------------

Chapters = list[list[list[tuple[str, list[tuple[str, list[str]]]]]]]
"""Chapters of articles of paragraphs, each with items, each with points."""
Row = tuple[str, str, str, str]
POINTS = st.lists(WORDS, max_size=2)
ITEMS = st.lists(st.tuples(WORDS, POINTS), max_size=3)
PARAGRAPHS = st.lists(st.tuples(WORDS, ITEMS), min_size=1, max_size=3)
CHAPTERS = st.lists(st.lists(PARAGRAPHS, min_size=1, max_size=3), min_size=1, max_size=3)
STYLES: tuple[Callable[[int], str], ...] = (
    lambda n: f"第{to_chinese(n)}条　",
    lambda n: f"第 {' '.join(to_chinese(n))} 条 ",
    lambda n: "第" + "".join(chr(ord(c) + 0xFEE0) for c in str(n)) + "条 ",
)


def render(chapters: Chapters, first: int, style: int) -> tuple[list[str], list[Row]]:
    """Lines of a statute and the tree it must give: (id, level, label, text)."""
    lines: list[str] = []
    tree: list[Row] = []
    number = first
    for index, chapter in enumerate(chapters, 1):
        lines.append(f"第{to_chinese(index)}章 总则")
        tree.append((f"c{index}", "章", f"第{to_chinese(index)}章 总则", lines[-1]))
        for paragraphs in chapter:
            id, start = f"a{number}", len(tree)
            own: list[str] = []
            for k, (words, items) in enumerate(paragraphs, 1):
                lead = f"款{words}"
                lines.append((STYLES[style](number) if k == 1 else "") + lead)
                k_lines, k_nodes = [lead], list[Row]()
                for x, (item, points) in enumerate(items, 1):
                    mark = f"（{to_chinese(x)}）"
                    x_lines = [mark + item, *(f"{m}．{p}" for m, p in enumerate(points, 1))]
                    k_nodes.append((f"{id}.k{k}.x{x}", "项", mark, "\n".join(x_lines)))
                    k_nodes += [
                        (f"{id}.k{k}.x{x}.m{m}", "目", f"{m}．", f"{m}．{p}")
                        for m, p in enumerate(points, 1)
                    ]
                    k_lines += x_lines
                lines += k_lines[1:]
                own += k_lines
                tree.append((f"{id}.k{k}", "款", f"第{to_chinese(k)}款", "\n".join(k_lines)))
                tree += k_nodes
            tree.insert(start, (id, "条", f"第{to_chinese(number)}条", "\n".join(own)))
            number += 1
    return lines, tree


@settings(deadline=None, max_examples=80)
@given(CHAPTERS, st.sampled_from([1, 9, 99, 109, 999, 1001, 1259]), st.sampled_from([0, 1, 2]))
def test_a_rendered_statute_gives_its_tree_back(chapters: Chapters, first: int, style: int) -> None:
    lines, tree = render(chapters, first, style)
    clauses = build_clauses(doc(*lines))
    assert [(c.id, c.level, c.label, c.text) for c in clauses] == tree
    assert [c.position for c in clauses] == list(range(len(clauses)))


MARKS = st.sampled_from(
    ["", "第一章 ", "第三条 ", "第三条", "第十条之一 ", "一、", "（二）", "(三)", "1.", "２．",
     "（4）", "⑤", "附件1 ", "附件：", "附：", "目录", "第一节 ", "第二编 ", "第一分编 ",
     "“第九条 "]
)  # fmt: skip
ENDS = st.sampled_from(["", "。", "：", "；", "”"])


@st.composite
def any_block(draw: st.DrawFn) -> Block:
    """A block that begins like anything and means nothing."""
    text = draw(MARKS) + draw(WORDS) + draw(ENDS)
    kind = draw(st.sampled_from(["paragraph", "paragraph", "heading", "table"]))
    if kind == "table":
        return Block("table", f"{text} | 2", 0, None, ((text, "2"),))
    if kind == "heading":
        return Block("heading", text, draw(st.integers(1, 4)))
    return Block("paragraph", text)


@settings(deadline=None, max_examples=200)
@given(st.lists(any_block(), max_size=25))
def test_whatever_comes_nothing_is_lost_and_ids_are_unique(blocks: list[Block]) -> None:
    clauses = build_clauses(ParsedDocument("", tuple(blocks)))
    assert whole(clauses) == squeeze("".join(b.text for b in blocks))
    assert len({c.id for c in clauses}) == len(clauses)
    seen: set[str] = set()
    for c in clauses:
        assert c.parent is None or c.parent in seen
        assert c.path[-1] == c.label
        seen.add(c.id)


# --- forms --------------------------------------------------------------------------------------


def test_forms_of_an_articles_name() -> None:
    assert ids("第 十 条 甲", "第１１条　乙", "第十二条丙应当办理", "第十二条之一 丁")[::2] == [
        "a10",
        "a11",
        "a12",
        "a12-1",
    ]
    labels = [
        c.label for c in build_clauses(doc("第１０条 甲", "第十条之二 乙")) if c.level == "条"
    ]
    assert labels == ["第十条", "第十条之二"]


@pytest.mark.parametrize(
    "line",
    [
        "第四条的规定另有说明。",
        "第四条、第五条规定的事项。",
        "第四条第二款所称材料。",
        "第四条至第六条不适用。",
    ],
)
def test_a_reference_opens_no_article(line: str) -> None:
    assert ids("第一条 总的规定。", line) == ["a1", "a1.k1", "a1.k2"]


def test_quoted_articles_stay_inside_the_article_that_quotes_them() -> None:
    found = ids("第一条 修改为：“第九条 甲。", "第十条 乙。”", "第二条 自公布之日起施行。")
    assert found == ["a1", "a1.k1", "a1.k2", "a2", "a2.k1"]


def test_articles_run_together_in_one_paragraph_are_parted() -> None:
    assert ids("第一条 甲。 第二条 乙，依照第三条 处理。 第三条 丙。")[::2] == ["a1", "a2", "a3"]


def test_chapters_restart_under_books_and_count_on_under_sub_books() -> None:
    clauses = build_clauses(
        doc(
            "第一编 总则",
            "第一章 任务",
            "第一条 甲",
            "第二编 分则",
            "第一章 罪",
            "第一节 一罪",
            "第二条 乙",
        )
    )
    assert [c.id for c in clauses if c.level != "款"] == [
        "b1", "b1.c1", "a1", "b2", "b2.c1", "b2.c1.s1", "a2",
    ]  # fmt: skip
    assert clauses[-2].path == ("第二编 分则", "第一章 罪", "第一节 一罪", "第二条")


def test_a_table_of_contents_opens_no_chapters() -> None:
    clauses = build_clauses(
        doc(
            "目 录",
            "第一章 总则",
            "第二章 附则",
            "第一章 总 则",
            "第一条 甲",
            "第二章 附 则",
            "第二条 乙",
        )
    )
    assert [c.id for c in clauses if c.level in {"章", "条"}] == ["c1", "a1", "c2", "a2"]
    assert clauses[0].level == "段" and clauses[1].label == "第一章 总则"


def test_a_table_belongs_to_the_paragraph_above_it() -> None:
    table = Block("table", "类 | 元", 0, None, (("类", "元"),))
    blocks = (Block("paragraph", "第一条 标准如下："), table, Block("paragraph", "（一）另计。"))
    clauses = build_clauses(ParsedDocument("题", blocks))
    assert [c.id for c in clauses] == ["a1", "a1.k1", "a1.k1.t1", "a1.k1.x1"]
    assert clauses[0].text == "标准如下：\n类 | 元\n（一）另计。"


def test_annexes_have_ids_of_their_own() -> None:
    clauses = build_clauses(
        ParsedDocument(
            "题",
            (
                Block("paragraph", "第一条 见附件。"),
                Block("paragraph", "附件1"),
                Block("paragraph", "收费标准表"),
                Block("table", "项目 | 元\n证 | 5", 0, None, (("项目", "元"), ("证", "5"))),
                Block("heading", "附件2 示范合同", 1),
                Block("paragraph", "第一条 甲方与乙方。"),
            ),
        )
    )
    assert [c.id for c in clauses] == [
        "a1", "a1.k1", "fj1", "fj1.p1", "fj1.t1", "fj2", "fj2.a1", "fj2.a1.k1",
    ]  # fmt: skip
    assert clauses[2].label == "附件1 收费标准表"


def test_a_list_of_annexes_is_no_annex() -> None:
    assert "fj1" not in ids("一、要求", "做好工作。", "附件：1.申请表", "2.承诺书", "示范市民政局")


def test_a_policy_by_its_numbering() -> None:
    clauses = build_clauses(
        doc(
            "各区人民政府：",
            "一、总体要求",
            "以便民为先。",
            "二、主要措施",
            "（一）减免租金。对承租国有房屋的小微企业免收三个月租金。",
            "1.申请时间为每年三月。",
            "（二）缓缴税款。最长不超过三个月，由税务部门办理。",
        )
    )
    assert [(c.id, c.level) for c in clauses] == [
        ("p1", "段"), ("h1", "标题"), ("h1.p1", "段"), ("h2", "标题"), ("h2.1", "标题"),
        ("h2.1.p1", "段"), ("h2.1.p2", "段"), ("h2.2", "标题"), ("h2.2.p1", "段"),
    ]  # fmt: skip
    assert clauses[4].label == "（一）减免租金。"


def test_a_guide_by_its_headings() -> None:
    clauses = build_clauses(
        read_markdown(
            "# 指南\n\n## 办理条件\n（一）年满16周岁；\n（二）本市户籍。\n\n## 申请材料\n"
            "| 序号 | 名称 |\n|--|--|\n| 1 | 身份证 |\n\n### 说明\n原件。\n"
        )
    )
    assert [c.id for c in clauses] == [
        "h1", "h1.p1", "h1.p2", "h2", "h2.t1", "h2.1", "h2.1.p1",
    ]  # fmt: skip


def test_one_long_line_is_a_tree_too() -> None:
    filler = "请各有关单位认真贯彻执行，并将落实情况及时报送。" * 12
    clauses = build_clauses(
        read_text(
            f"示范市关于做好供暖工作的通知 各区： {filler} 一、按时供暖 1.十一月十五日起供暖。 "
            "二、加强检查 各区逐户检查供暖情况。"
        )
    )
    assert {"h1", "h1.p1", "h2", "h2.p1"} <= {c.id for c in clauses}
