"""Chunks: bounded, complete, and knowing where they come from."""

from hypothesis import given, settings
from hypothesis import strategies as st

from zhengwu.datasets.parse import Block, ParsedDocument
from zhengwu.datasets.parse.markdown import read_markdown
from zhengwu.rag.chunk import MAX, ChunkDraft, chunk
from zhengwu.rag.clause import build_clauses

HEADINGS = {"编", "分编", "章", "节", "标题", "附件"}
SENTENCES = st.lists(
    st.sampled_from(
        ["申请人应当提交材料。", "材料齐全的，当场受理；", "不得拖延：", "甲", "办理机关"]
    ),
    min_size=1,
    max_size=200,
).map("".join)
MARKS = st.sampled_from(
    ["", "第一章 总则", "第一条 ", "第二条 ", "（一）", "（二）", "一、", "1.", "附件1"]
)


@st.composite
def any_block(draw: st.DrawFn) -> Block:
    """A block of any kind and length."""
    text = draw(MARKS) + draw(SENTENCES)
    kind = draw(st.sampled_from(["paragraph", "paragraph", "heading", "table"]))
    if kind == "table":
        return Block("table", f"{text} | 5", 0, None, ((text, "5"),))
    if kind == "heading":
        return Block("heading", text[:60], draw(st.integers(1, 3)))
    return Block("paragraph", text)


def squeeze(text: str) -> str:
    return "".join(text.split())


def chunks(text: str) -> tuple[ChunkDraft, ...]:
    doc = read_markdown(text)
    return chunk(build_clauses(doc), doc.title)


@settings(deadline=None, max_examples=150)
@given(st.lists(any_block(), min_size=1, max_size=15))
def test_bounded_complete_and_named(blocks: list[Block]) -> None:
    clauses = build_clauses(ParsedDocument("某办法", tuple(blocks)))
    drafts = chunk(clauses, "某办法")
    by_id = {c.id: c for c in clauses}
    parents = {c.parent for c in clauses}
    for draft in drafts:
        assert 0 < len(draft.text) <= MAX
        assert draft.path.startswith("某办法")
        assert draft.clause_ids and set(draft.clause_ids) <= by_id.keys()
    for clause in clauses:
        if clause.id in parents:  # its text is that of the clauses below
            continue
        line = [clause.id]
        while (above := by_id[line[-1]].parent) is not None:
            line.append(above)
        holding = "".join(squeeze(d.text) for d in drafts if set(d.clause_ids) & set(line))
        assert squeeze(clause.text) in holding or clause.level in HEADINGS
        if clause.level in HEADINGS:
            assert squeeze(clause.text) in holding + "".join(squeeze(d.path) for d in drafts)


def test_one_article_is_one_chunk() -> None:
    found = chunks(
        "# 某条例\n\n## 第一章 总则\n\n第一条 甲。\n\n"
        "第二条 有下列情形：\n\n（一）乙；\n\n（二）丙。\n"
    )
    assert found == (
        ChunkDraft(("a1",), "某条例 › 第一章 总则 › 第一条", "第一条 甲。"),
        ChunkDraft(
            ("a2",), "某条例 › 第一章 总则 › 第二条", "第二条 有下列情形：\n（一）乙；\n（二）丙。"
        ),
    )


def test_a_long_article_is_cut_at_its_items_under_its_lead_in() -> None:
    items = "\n\n".join(f"（{n}）" + "说明文字，" * 30 + "。" for n in "一二三四五六七八")
    found = chunks(f"# 某条例\n\n第一条 有下列情形之一的，不予受理：\n\n{items}\n")
    assert len(found) > 2 and all(len(c.text) <= 500 for c in found)
    assert all("有下列情形之一的，不予受理：" in c.text for c in found)
    assert found[1].clause_ids[0] == "a1.k1" and found[1].clause_ids[1].startswith("a1.k1.x")
    assert {c.path for c in found} == {"某条例 › 第一条"}


def test_a_guides_sections() -> None:
    long = "办理条件的详细说明。" * 20
    found = chunks(
        f"# 指南\n\n## 条件\n{long}\n\n## 时限\n5日\n\n## 费用\n不收费\n\n## 流程\n{long}\n"
    )
    assert [c.path for c in found] == ["指南", "指南 › 流程"]
    assert found[0].text.endswith("时限\n5日\n费用\n不收费")
    assert found[0].clause_ids == ("h1", "h1.p1", "h2", "h2.p1", "h3", "h3.p1")


def test_a_sentence_without_end_is_still_cut() -> None:
    found = chunks("# 题\n\n" + "长" * 5_000 + "\n")
    assert "".join(c.text for c in found) == "长" * 5_000
    assert max(len(c.text) for c in found) <= MAX
