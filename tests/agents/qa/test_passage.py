"""Passages and citations stand word for word in the stored clauses, whatever the document."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from zhengwu.agents.qa.cite import cite, quotation
from zhengwu.agents.qa.events import Source
from zhengwu.agents.qa.passage import QUOTE_CHARS, Passage, Unit, overlap, passages
from zhengwu.agents.qa.verify import quoted
from zhengwu.datasets.parse import Block, ParsedDocument
from zhengwu.rag.clause import Clause, build_clauses
from zhengwu.rag.fuse import Scores
from zhengwu.rag.knowledge import Hit, StoredClause
from zhengwu.rag.snapshot import DocumentInfo
from zhengwu.rag.text.normalise import squash
from zhengwu.rag.text.numerals import to_chinese
from zhengwu.rag.text.segment import query_terms
from zhengwu.rag.validity import Span

WORDS = (
    "灯塔",
    "许可",
    "申请",
    "应当",
    "不得",
    "材料",
    "办理",
    "十五日",
    "第三条",
    "：",
    "；",
    "。",
)
SCORES = Scores(0.0, 0.0, None, 0.0, 0.0, 0.0, 0.0)


def hit(path: str = "条例 › 第一条", ids: tuple[str, ...] = ("a1",), doc: str = "law") -> Hit:
    info = DocumentInfo(
        1, doc, "条例", "法规", None, None, None, (), None, Span(1, "条例", None, None, ""), 1
    )
    return Hit(1, info, "现行有效", ids, path, "", SCORES)


def source(ref: int, doc: str = "law", clause_id: str = "a1") -> Source:
    path = f"条例 › 第{to_chinese(int(clause_id[1:]))}条"
    return Source(ref=ref, doc_id=doc, title="条例", clause_id=clause_id, path=path, quote="")


def stored(clauses: Sequence[Clause]) -> list[StoredClause]:
    return [StoredClause(c.id, c.parent, c.level, c.label, c.text) for c in clauses]


def parse(*blocks: Block) -> list[StoredClause]:
    return stored(build_clauses(ParsedDocument("条例", blocks, {}, "markdown", "0" * 64)))


def lines(*texts: str) -> list[StoredClause]:
    return parse(*(Block("paragraph", text) for text in texts))


sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map("".join)
prose = st.lists(sentences, min_size=1, max_size=8).map("。".join)
tables = st.lists(st.tuples(sentences, sentences), min_size=1, max_size=5).map(
    lambda rows: Block("table", "\n".join(" | ".join(r) for r in rows), rows=tuple(rows))
)


@st.composite
def documents(draw: st.DrawFn) -> list[Block]:
    """Regulations, guides and mixtures: chapters, articles, 款, 项, 目, headings and tables."""
    blocks: list[Block] = []
    article = 0
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(("条", "条", "款", "项", "目", "章", "标题", "表", "问答")))
        text = draw(prose)
        number = to_chinese(draw(st.integers(1, 12)))
        if kind == "条":
            article += 1
            blocks.append(Block("paragraph", f"第{to_chinese(article)}条 {text}"))
        elif kind == "项":
            blocks.append(Block("paragraph", f"（{number}）{text}"))
        elif kind == "目":
            blocks.append(Block("paragraph", f"{draw(st.integers(1, 9))}.{text}"))
        elif kind == "章":
            blocks.append(Block("heading", f"第{number}章 总则", 2))
        elif kind == "标题":
            blocks.append(Block("heading", f"{number}、{text[:12]}", 2))
        elif kind == "表":
            blocks.append(draw(tables))
        elif kind == "问答":
            blocks.append(Block("paragraph", f"问：{text[:20]}？答：{text}"))
        else:
            blocks.append(Block("paragraph", text))
    return blocks


@settings(max_examples=150, deadline=None)
@given(documents(), sentences)
def test_every_citation_stands_in_its_clause(blocks: list[Block], question: str) -> None:
    clauses = parse(*blocks)
    by_id = {clause.clause_id: clause.text for clause in clauses}
    weights = dict.fromkeys(query_terms(question), 1.0)
    for passage in passages(weights, hit(), clauses):
        assert 0.0 <= passage.overlap <= 1.0 and passage.units
        citations = cite((source(1),), passage.hit, passage.label, passage.units)
        assert citations
        for citation in citations:
            assert quoted(citation.quote, by_id[citation.clause_id])
        shown = squash(quotation(passage.units))
        for unit in passage.units:
            assert quoted(unit.text, by_id[unit.clause_id])
            assert squash(unit.text) in shown
        size = sum(len(unit.text) for unit in passage.units)
        assert size <= QUOTE_CHARS or len(passage.units) <= 2, "only one stretch may be longer"


@settings(max_examples=100, deadline=None)
@given(documents())
def test_short_leaves_are_all_in_some_passage(blocks: list[Block]) -> None:
    clauses = parse(*blocks)
    parents = {clause.parent for clause in clauses}
    found = passages({}, hit(), clauses)
    whole = {p.clause_id for p in found if sum(len(u.text) for u in p.units) < QUOTE_CHARS // 2}
    for passage in found:
        if passage.clause_id in whole:
            for name in {unit.clause_id for unit in passage.units} - parents:
                said = [unit.text for unit in passage.units if unit.clause_id == name]
                text = next(clause.text for clause in clauses if clause.clause_id == name)
                assert set(squash(text)) - set("。！？；") <= set(squash("".join(said)))


def best(question: str, clauses: list[StoredClause]) -> Passage:
    return passages(dict.fromkeys(query_terms(question), 1.0), hit(), clauses)[0]


def test_items_come_with_the_words_that_lead_in() -> None:
    items = [f"（{to_chinese(n)}）第{n}类人员的{'很长的说明' * 8}；" for n in range(1, 9)]
    clauses = lines("第一条 下列人员可以申领：", *items, "（九）灯塔看守人。")
    passage = best("灯塔看守人可以申领吗", clauses)
    assert passage.units[0].text.strip() == "下列人员可以申领："
    assert passage.units[-1].text == "（九）灯塔看守人。"
    assert sum(len(unit.text) for unit in passage.units) <= QUOTE_CHARS


def test_an_item_with_parts_keeps_its_own_words() -> None:
    clauses = lines(
        "第一条 应当具备下列条件：", "（一）有场所；", "（二）有三名看守人：", "1.持有证书；",
        "2.年满十八周岁。",
    )  # fmt: skip
    passage = best("看守人", clauses)
    assert passage.text == (
        "应当具备下列条件：（一）有场所；（二）有三名看守人：1.持有证书；2.年满十八周岁。"
    )
    assert [unit.clause_id for unit in passage.units][2:4] == ["a1.k1.x2", "a1.k1.x2.m1"]


def test_rows_come_with_the_head_of_their_table() -> None:
    rows = (("级别", "标准"), *((f"{n}级{'甲' * 30}", f"{n}百元") for n in range(1, 12)))
    table = Block("table", "\n".join(" | ".join(row) for row in rows), rows=rows)
    passage = best("9级标准是多少", parse(Block("paragraph", "第一条 标准如下："), table))
    texts = [unit.text for unit in passage.units]
    assert any(text.startswith("级别 | 标准") for text in texts)
    assert any(text.startswith("9级") for text in texts)


def test_a_second_paragraph_is_a_passage_of_its_own() -> None:
    clauses = lines("第一条 申请灯塔许可应当登记。", "灯塔许可的费用为一百元。")
    found = passages(dict.fromkeys(query_terms("费用多少元"), 1.0), hit(), clauses)
    assert [passage.text for passage in found][0] == "灯塔许可的费用为一百元。"
    assert len(found) == 2


def test_a_long_paragraph_is_cut_to_its_best_sentences() -> None:
    filler = "".join(f"第{n}号仓库存放缆绳若干。" for n in range(40))
    clauses = lines(f"第一条 总述如下。{filler}灯塔许可的费用为一百元。{filler}")
    passage = best("灯塔许可费用", clauses)
    assert "灯塔许可的费用为一百元。" in passage.text
    assert len(passage.text) <= QUOTE_CHARS
    assert "……" in quotation(passage.units), "what was left out shows"
    citations = cite((source(1),), passage.hit, "第一条", passage.units)
    assert all("……" not in citation.quote for citation in citations)


def test_what_stands_side_by_side_is_one_quotation() -> None:
    text = "先登记。\n再缴费。最后领证。"
    units = [Unit("a1", part, False, text) for part in ("先登记。", "再缴费。", "最后领证。")]
    (one,) = cite((source(1),), hit(), "第一条", units)
    assert one.quote == "先登记。再缴费。最后领证。" == quotation(units)
    apart = [units[0], units[2]]
    assert [c.quote for c in cite((source(1),), hit(), "第一条", apart)] == [
        "先登记。",
        "最后领证。",
    ]
    assert quotation(apart) == "先登记。……最后领证。"


def test_a_citation_carries_the_number_of_its_own_source() -> None:
    sources = (source(1, "other"), source(2, clause_id="a9"), source(3))
    unit = Unit("a1.k2", "应当登记。", False, "应当登记。")
    assert cite(sources, hit(), "第一条", [unit])[0].ref == 3
    assert cite(sources, hit("条例 › 第九条", ("a9", "a10")), "第九条", [unit])[0].ref == 2


def test_overlap_is_a_share_by_weight() -> None:
    weights = {"灯塔": 3.0, "许可": 1.0}
    assert overlap(weights, "灯塔许可") == 1.0
    assert overlap(weights, "灯塔") == 0.75
    assert overlap(weights, "风车") == 0.0
    assert overlap({}, "灯塔") == 0.0
