"""Digital PDF: paragraphs across lines and pages, running heads, tables, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from zhengwu.datasets.errors import (
    CorruptDocument,
    EncryptedDocument,
    FileTooLarge,
    NoTextLayer,
    ParseTimeout,
)
from zhengwu.datasets.parse import Limits, parse

PdfMaker = Callable[..., Path]
LEFT, SIZE, WIDTH = 72.0, 14.0, 32
SENTENCE = "申请人应当如实提交有关材料和反映真实情况，并对其申请材料实质内容的真实性负责"


def body(lines: list[str], top: float = 700.0) -> list[tuple[float, float, float, str]]:
    return [(LEFT, top - 24 * i, SIZE, line) for i, line in enumerate(lines)]


def test_lines_become_paragraphs_and_running_heads_go(make_pdf: PdfMaker) -> None:
    pages = [
        [
            (200, 800, 9, "示范市人民政府公报"),
            *([(180, 750, 22, "示范市养犬管理办法")] if number == 1 else []),
            *body([
                f"　　第{'一二三'[number - 1]}条 {SENTENCE}"[:WIDTH],
                f"　　第{'一二三'[number - 1]}条 {SENTENCE}"[WIDTH:] + "。",
                "　　本款另起一段，不与上段相连。",
            ]),
            (290, 30, 9, f"— {number} —"),
        ]
        for number in (1, 2, 3)
    ]  # fmt: skip
    doc = parse(make_pdf(pages))
    assert doc.title == "示范市养犬管理办法"
    assert [b.text for b in doc.blocks] == [
        text for n in "一二三" for text in (f"第{n}条 {SENTENCE}。", "本款另起一段，不与上段相连。")
    ]
    assert [b.page for b in doc.blocks] == [1, 1, 2, 2, 3, 3]
    assert doc.format == "pdf" and len(doc.digest) == 64


def test_a_paragraph_goes_on_over_a_page_break(make_pdf: PdfMaker) -> None:
    long = "甲" * WIDTH
    doc = parse(
        make_pdf([body(["第一条 " + long[4:], long], 200.0), body([long, "结束。"], 780.0)])
    )
    assert [b.text for b in doc.blocks] == ["第一条 " + long[4:] + long * 2 + "结束。"]


def test_a_ruled_table_is_a_table_in_its_place(make_pdf: PdfMaker) -> None:
    texts = [
        *body(["收费标准如下：以下金额单位均为元，按件收取。"], 740),
        (90, 660, 12, "项目"), (310, 660, 12, "金额"),
        (90, 620, 12, "住宅登记"), (310, 620, 12, "80"),
        *body(["减免情形另行规定，申请人应当提交证明材料。"], 500),
    ]  # fmt: skip
    grid = [(80, y, 500, y) for y in (680, 645, 605)] + [(x, 605, x, 680) for x in (80, 300, 500)]
    doc = parse(make_pdf([texts], grid))
    kinds = [b.kind for b in doc.blocks]
    assert kinds == ["paragraph", "table", "paragraph"]
    assert doc.blocks[1].rows == (("项目", "金额"), ("住宅登记", "80"))
    assert doc.blocks[1].text == "项目 | 金额\n住宅登记 | 80"


def test_encrypted_pdf_names_the_remedy(make_pdf: PdfMaker) -> None:
    with pytest.raises(EncryptedDocument, match="去除密码"):
        parse(make_pdf([body([SENTENCE])], encrypted=True))


def test_scan_without_text_asks_for_text(make_pdf: PdfMaker) -> None:
    with pytest.raises(NoTextLayer, match="文字版"):
        parse(make_pdf([[]], [(10, 10, 500, 800)]))


def test_corrupt_pdf(tmp_path: Path, make_pdf: PdfMaker) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\n" + b"\x00garbage" * 500)
    with pytest.raises(CorruptDocument, match="损坏"):
        parse(broken)


def test_too_many_pages(make_pdf: PdfMaker) -> None:
    with pytest.raises(FileTooLarge, match="3 页"):
        parse(make_pdf([body([SENTENCE])] * 3), Limits(max_pages=2))


def test_time_is_bounded(make_pdf: PdfMaker) -> None:
    with pytest.raises(ParseTimeout, match="拆分"):
        parse(make_pdf([body([SENTENCE])] * 3), Limits(seconds=0.0))
