"""One regulation in five formats gives the same clauses."""

from collections.abc import Callable
from pathlib import Path

import docx
import pytest

from zhengwu.datasets.parse import parse
from zhengwu.rag.clause import build_clauses

TITLE = "示范市养犬管理办法"
LINES = [
    "第一章 总则",
    "第一条 为了规范养犬行为，维护公共秩序和环境卫生，"
    "保障公民人身安全，根据有关法律，结合本市实际，制定本办法。",
    "第二条 本市行政区域内养犬及其管理，适用本办法。",
    "军用、警用犬只的管理，依照国家有关规定执行。",
    "第二章 登记",
    "第三条 申请养犬登记应当具备下列条件：",
    "（一）有固定住所；",
    "（二）犬只已经免疫：",
    "1．狂犬病；",
    "2．犬瘟热。",
    "第三条之一 登记证有效期为一年。",
    "第四条 本办法自2025年1月1日起施行。",
]


def as_markdown(folder: Path) -> Path:
    path = folder / "a.md"
    lines = [f"## {line}" if line[2] == "章" else line for line in LINES]
    path.write_text(f"# {TITLE}\n\n" + "\n\n".join(lines), "utf-8")
    return path


def as_text(folder: Path) -> Path:
    path = folder / "a.txt"
    path.write_text("\n".join([TITLE, *("　　" + line for line in LINES)]), "gb18030")
    return path


def as_html(folder: Path) -> Path:
    path = folder / "a.html"
    body = "".join(f"<p>　　{line}</p>" for line in LINES)
    path.write_text(f"<html><body><nav>首页</nav><h1>{TITLE}</h1>{body}</body></html>", "utf-8")
    return path


def as_docx(folder: Path) -> Path:
    document = docx.Document()
    document.add_heading(TITLE, 0)
    for line in LINES:
        document.add_paragraph(line, style="Heading 1" if line[2] == "章" else None)
    path = folder / "a.docx"
    document.save(str(path))
    return path


@pytest.mark.parametrize("write", [as_text, as_html, as_docx])
def test_the_same_clauses(write: Callable[[Path], Path], tmp_path: Path) -> None:
    wanted = build_clauses(parse(as_markdown(tmp_path)))
    doc = parse(write(tmp_path))
    assert doc.title == TITLE
    assert build_clauses(doc) == wanted
    assert {"c1", "a1", "a2.k2", "c2", "a3.k1.x2.m2", "a3-1", "a4"} <= {c.id for c in wanted}


def test_the_same_clauses_from_pdf(make_pdf: Callable[..., Path], tmp_path: Path) -> None:
    """Thirty characters a line, fourteen lines a page, headings centred, paragraphs indented."""
    rows: list[tuple[float, str]] = []
    for line in LINES:
        if line[2] == "章":
            rows.append((240.0, line))
            continue
        text = "　　" + line
        rows += [(72.0, text[i : i + 30]) for i in range(0, len(text), 30)]
    pages: list[list[tuple[float, float, float, str]]] = []
    for start in range(0, len(rows), 10):
        page = [(x, 720.0 - 26 * i, 15.0, t) for i, (x, t) in enumerate(rows[start : start + 10])]
        number = f"- {len(pages) + 1} -"
        title = [] if pages else [(190.0, 770.0, 22.0, TITLE)]
        pages.append([*title, *page, (290.0, 30.0, 9.0, number)])
    doc = parse(make_pdf(pages))
    wanted = build_clauses(parse(as_markdown(tmp_path)))
    assert doc.title == TITLE
    assert [(c.id, c.level, c.label) for c in build_clauses(doc)] == [
        (c.id, c.level, c.label) for c in wanted
    ]
    assert ["".join(c.text.split()) for c in build_clauses(doc)] == [
        "".join(c.text.split()) for c in wanted
    ]
