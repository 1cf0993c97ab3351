"""Text, Markdown and HTML, and what is refused before a parser sees it."""

from pathlib import Path

import pytest

from zhengwu.datasets.errors import (
    CorruptDocument,
    EmptyDocument,
    EncryptedDocument,
    FileTooLarge,
    UnsupportedFormat,
)
from zhengwu.datasets.parse import Limits, parse
from zhengwu.datasets.parse.isolated import parse_isolated
from zhengwu.datasets.parse.text import read_text


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = (
        "示范市供水管理办法\n第一条 为了加强供水管理，制定本办法。\n第二条 㐂字与“镕”字都应读出。\n"
    )
    doc = parse(write(tmp_path, "a.txt", text.encode(encoding)))
    assert doc.title == "示范市供水管理办法"
    assert [b.text for b in doc.blocks] == text.split("\n")[1:3]


def test_hidden_characters_go_and_words_stay(tmp_path: Path) -> None:
    raw = "标题一行\n办\u200b理\x00时\u202e限\x07：\u3000\u30005\u00a0个工作日\ufeff。"
    doc = parse(write(tmp_path, "a.txt", raw))
    assert doc.blocks[0].text == "办理时限： 5 个工作日。"


def test_one_long_line_becomes_paragraphs() -> None:
    line = (
        "示范市关于支持小微企业的通知 各有关单位： 为落实工作部署，制定如下措施： "
        "一、减轻负担 1.减免租金。对承租国有房屋的小微企业，免收三个月租金。" + "补充说明。" * 60
        + " 2.缓缴税款。最长不超过三个月。 二、加大支持 （一）贴息。按百分之五十贴息。"
    )  # fmt: skip
    doc = read_text(line)
    assert doc.title == "示范市关于支持小微企业的通知"
    starts = [b.text[:4] for b in doc.blocks]
    assert starts[:2] == ["各有关单", "为落实工"]
    assert {"一、减轻", "1.减免", "2.缓缴", "二、加大", "（一）贴"} <= set(starts)
    assert "".join((doc.title + "".join(b.text for b in doc.blocks)).split()) == "".join(
        line.split()
    )


def test_markdown_front_matter_tables_and_soft_wraps(tmp_path: Path) -> None:
    doc = parse(
        write(
            tmp_path,
            "a.md",
            "---\ntitle: 甲\nbasis:\n  - {law: 劳动法, article: 第一条}\neffective_to: null\n"
            "issued: 2025-03-03\n---\n# 失业保险金申领办事指南\n\n## 申请材料\n\n"
            "| 序号 | 材料 |\n|---|:--:|\n| 1 | **身份证** |\n\n<!-- 注释 -->\n"
            "这是一段\n软换行的文字。\n（一）第一项；\n（二）第二项。\n见[指南](http://example.com)。\n",
        )
    )
    assert doc.title == "失业保险金申领办事指南"
    assert doc.meta["issued"] == "2025-03-03" and "effective_to" not in doc.meta
    assert [(b.kind, b.text) for b in doc.blocks] == [
        ("heading", "申请材料"),
        ("table", "序号 | 材料\n1 | 身份证"),
        ("paragraph", "这是一段软换行的文字。"),
        ("paragraph", "（一）第一项；"),
        ("paragraph", "（二）第二项。"),
        ("paragraph", "见指南。"),
    ]


def test_history_over_a_statute_goes_to_meta(tmp_path: Path) -> None:
    doc = parse(
        write(
            tmp_path,
            "某法(2018-12-29).md",
            "# 中华人民共和国某法\n\n2018年12月29日 某会议通过\n\n<!-- INFO END -->\n\n"
            "第一条 制定本法。\n",
        )
    )
    assert doc.meta == {"history": "2018年12月29日 某会议通过", "version_date": "2018-12-29"}
    assert [b.text for b in doc.blocks] == ["第一条 制定本法。"]


@pytest.mark.parametrize("front", ["a: [1", "a: &x [1]\nb: [*x, *x]", "- 1\n- 2"])
def test_bad_front_matter(tmp_path: Path, front: str) -> None:
    with pytest.raises(CorruptDocument, match="YAML"):
        parse(write(tmp_path, "a.md", f"---\n{front}\n---\n正文\n"))


HTML = """<!DOCTYPE html><html><head><meta charset="gb2312"><title>站点标题</title>
<meta name="PubDate" content="2025-03-01"></head><body>
<div class="top-nav"><a>首页</a><a>政务公开</a></div><nav>导航</nav>
<div id="content"><h1>示范市公园条例</h1><p>第一条　为了<b>规范</b>公园管理，<br>制定本条例。</p>
<table><tr><th>类别</th><th>费用</th></tr><tr><td rowspan="2">成人</td><td>10元</td></tr>
<tr><td>月票30元</td></tr></table><script>alert("x")</script><!-- 注释 -->
<div>附则<p>末段</p></div></div>
<footer>版权所有</footer><div class="copyright">备案号</div></body></html>"""


def test_html(tmp_path: Path) -> None:
    doc = parse(write(tmp_path, "a.html", HTML.encode("gb18030")))
    assert doc.title == "示范市公园条例" and doc.meta["PubDate"] == "2025-03-01"
    assert [b.text for b in doc.blocks] == [
        "第一条 为了规范公园管理，",
        "制定本条例。",
        "类别 | 费用\n成人 | 10元\n成人 | 月票30元",
        "附则",
        "末段",
    ]


@pytest.mark.parametrize("depth", [400, 50_000])
def test_deep_html_is_refused(tmp_path: Path, depth: int) -> None:
    deep = "<html><body>" + "<div>" * depth + "字" + "</div>" * depth
    with pytest.raises(CorruptDocument, match="嵌套"):
        parse(write(tmp_path, "a.html", deep))


def test_a_200_mb_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.pdf"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)  # sparse
    with pytest.raises(FileTooLarge, match="200.0 MB，超过上限 100 MB"):
        parse(path)
    with pytest.raises(FileTooLarge, match="拆分"):
        parse(write(tmp_path, "a.txt", "字" * 500_000), Limits(max_text_mb=1))


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.html", "a.pdf", "a.docx"])
def test_empty_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(EmptyDocument, match="空文件"):
        parse(write(tmp_path, name, b""))


def test_only_white_space(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument, match="没有可读取的文字"):
        parse(write(tmp_path, "a.txt", " \n\u3000\n\u200b"))


def test_unknown_old_and_misnamed_formats(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match="docx"):
        parse(write(tmp_path, "a.xyz", "x"))
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    with pytest.raises(UnsupportedFormat, match="另存为 DOCX"):
        parse(write(tmp_path, "a.doc", ole))
    with pytest.raises(EncryptedDocument, match="去除密码"):
        parse(write(tmp_path, "a.docx", ole + "EncryptedPackage".encode("utf-16-le")))
    with pytest.raises(UnsupportedFormat, match="后缀"):
        parse(write(tmp_path, "a.txt", b"%PDF-1.7\n..."))
    with pytest.raises(CorruptDocument, match="编码"):
        parse(write(tmp_path, "a.txt", b"\xff\x00\x00\x81\x00" * 50))
    with pytest.raises(UnsupportedFormat, match="路径"):
        parse(tmp_path / "missing.md")


def test_isolated_gives_the_same_document_and_the_same_errors(tmp_path: Path) -> None:
    good = write(tmp_path, "a.md", "# 题\n\n第一条 正文。\n")
    assert parse_isolated(good) == parse(good)
    with pytest.raises(UnsupportedFormat, match="后缀"):
        parse_isolated(write(tmp_path, "b.txt", b"%PDF-1.7"))
