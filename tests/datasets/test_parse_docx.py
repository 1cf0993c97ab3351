"""DOCX: order, styles, automatic numbers, merged cells, revisions; and hostile archives."""

import zipfile
from pathlib import Path

import docx
import pytest
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.text.paragraph import Paragraph

from zhengwu.datasets.errors import ArchiveBomb, CorruptDocument
from zhengwu.datasets.parse import Limits, parse


def save(document: Document, folder: Path) -> Path:
    path = folder / "文件.docx"
    document.save(str(path))
    return path


def number(document: Document, paragraph: Paragraph, num_id: int, level: int = 0) -> None:
    properties = paragraph._p.get_or_add_pPr()  # pyright: ignore[reportPrivateUsage]
    properties.append(
        parse_xml(
            f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/>'
            f'<w:numId w:val="{num_id}"/></w:numPr>'
        )
    )


def define_articles(document: Document) -> int:
    root = document.part.numbering_part.element
    levels = "".join(
        f'<w:lvl w:ilvl="{i}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for i, (form, text) in enumerate(
            [
                ("chineseCountingThousand", "第%1条"),
                ("chineseCounting", "（%2）"),
                ("decimal", "%3."),
            ]
        )
    )
    abstract = parse_xml(
        f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77">{levels}</w:abstractNum>'
    )
    root.insert(0, abstract)
    root.append(
        parse_xml(f'<w:num {nsdecls("w")} w:numId="77"><w:abstractNumId w:val="77"/></w:num>')
    )
    return 77


def test_headings_tables_and_automatic_numbers_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("示范市停车管理办法", 0)
    document.add_heading("第一章 总则", 1)
    list_id = define_articles(document)
    for text, level in [
        ("为了加强管理，制定本办法。", 0),
        ("下列车辆免费：", 0),
        ("执行任务的警车；", 1),
        ("消防车。", 1),
        ("本办法自2025年1月1日起施行。", 0),
    ]:
        number(document, document.add_paragraph(text), list_id, level)
    table = document.add_table(3, 2)
    for row, cells in enumerate([("类别", "元"), ("小型车", "5"), ("", "8")]):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0)).text = "小型车"
    document.add_paragraph("表后的一段。")
    doc = parse(save(document, tmp_path))
    assert doc.title == "示范市停车管理办法"
    assert [(b.kind, b.level, b.text) for b in doc.blocks] == [
        ("heading", 1, "第一章 总则"),
        ("paragraph", 0, "第一条 为了加强管理，制定本办法。"),
        ("paragraph", 0, "第二条 下列车辆免费："),
        ("paragraph", 0, "（一）执行任务的警车；"),
        ("paragraph", 0, "（二）消防车。"),
        ("paragraph", 0, "第三条 本办法自2025年1月1日起施行。"),
        ("table", 0, "类别 | 元\n小型车 | 5\n小型车 | 8"),
        ("paragraph", 0, "表后的一段。"),
    ]


def test_revisions_breaks_and_content_controls(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("通知")
    body = document.element.body
    space = nsdecls("w")
    body.insert(
        1,
        parse_xml(
            f"<w:p {space}><w:r><w:t>保留</w:t></w:r><w:ins><w:r><w:t>新增</w:t></w:r></w:ins>"
            "<w:del><w:r><w:delText>删去</w:delText></w:r></w:del>"
            "<w:r><w:br/><w:t>换行</w:t></w:r></w:p>"
        ),
    )
    body.insert(
        2,
        parse_xml(
            f"<w:sdt {space}><w:sdtContent><w:p><w:r><w:t>控件内</w:t></w:r></w:p>"
            "</w:sdtContent></w:sdt>"
        ),
    )
    doc = parse(save(document, tmp_path))
    assert doc.title == "通知"
    assert [b.text for b in doc.blocks] == ["保留新增", "换行", "控件内"]


def test_corrupt_archives(tmp_path: Path) -> None:
    path = tmp_path / "坏.docx"
    good = docx.Document()
    good.add_paragraph("正文")
    data = save(good, tmp_path).read_bytes()
    for broken in (b"PK\x03\x04 not a zip", data[: len(data) // 2], b"hello"):
        path.write_bytes(broken)
        with pytest.raises(CorruptDocument, match="另存"):
            parse(path)
    middle = bytearray(data)
    start = data.index(b"word/document.xml") + 40
    middle[start : start + 200] = bytes(200)
    path.write_bytes(bytes(middle))
    with pytest.raises(CorruptDocument, match="另存"):
        parse(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(CorruptDocument, match="不是 Word 文档"):
        parse(path)


def test_zip_bombs_are_refused_unopened(tmp_path: Path) -> None:
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", bytes(30 * 1024 * 1024))
    with pytest.raises(ArchiveBomb, match="压缩比"):
        parse(path)
    with pytest.raises(ArchiveBomb, match="解压后"):
        parse(path, Limits(max_unpacked_mb=10))
    with pytest.raises(ArchiveBomb, match="2 个部件"):
        parse(path, Limits(max_members=1))


def test_deep_xml_is_refused(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("正文")
    source = save(document, tmp_path)
    path = tmp_path / "deep.docx"
    deep = "<w:sdt><w:sdtContent>" * 400 + "</w:sdtContent></w:sdt>" * 400
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "word/document.xml":
                content = content.replace(b"<w:body>", b"<w:body>" + deep.encode(), 1)
            new.writestr(name, content)
    with pytest.raises(CorruptDocument, match="嵌套过深"):
        parse(path)
