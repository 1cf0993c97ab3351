"""`data check`: the starter set passes; every planted fault is found."""

import json
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zhengwu.cli.data import app
from zhengwu.datasets import manifest as manifests
from zhengwu.datasets.card import card
from zhengwu.datasets.check import SECTIONS, Report, check
from zhengwu.datasets.errors import StarterError
from zhengwu.datasets.lawbook import LawBook, read_laws
from zhengwu.datasets.overlap import containment, grams
from zhengwu.datasets.starter import STARTER, load_guide, load_guides

LAWS = Path(__file__).resolve().parents[3] / "shared" / "data" / "laws"
DAY = date(2026, 11, 22)
Edit = Callable[[str], str]


def test_the_starter_set_passes() -> None:
    report = check()
    assert report.findings == ()
    assert report.files >= 80 and report.counts["total"]["departments"] >= 20
    assert report.most_alike is not None and report.most_alike[0] < 0.5


@pytest.mark.skipif(not LAWS.is_dir(), reason="the folder of statutes is not beside the checkout")
def test_every_basis_that_can_be_looked_up_is_there() -> None:
    report = check(laws=read_laws(LAWS))
    assert report.findings == ()
    assert report.basis["resolved"] > 250 and "unresolved" not in report.basis


# --- planted faults -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chosen() -> list[Path]:
    """A file of each kind, state and term, but none that needs another."""
    guides = [guide for guide in load_guides() if guide.meta.status != "已废止"]
    kinds = {(g.meta.kind, g.meta.status, g.meta.effective_to is None): g.path for g in guides}
    return list(kinds.values())


@pytest.fixture
def starter(chosen: list[Path], tmp_path: Path) -> Path:
    """A few files of the starter set, which may be spoilt."""
    folder = tmp_path / "starter"
    for path in chosen:
        target = folder / path.relative_to(STARTER)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    manifests.write(manifests.build(load_guides(folder), DAY, folder), folder)
    return folder


def find(folder: Path, **wanted: str) -> Path:
    """The first file whose front matter has these values."""
    for guide in load_guides(folder):
        if all(str(getattr(guide.meta, key)) == value for key, value in wanted.items()):
            return guide.path
    raise AssertionError(wanted)


def spoil(folder: Path, path: Path, edit: Edit, laws: LawBook | None = None) -> Report:
    """Edit a file, list it anew where it can still be read, and check."""
    before = path.read_text("utf-8")
    after = edit(before)
    assert after != before
    path.write_text(after, "utf-8")
    try:
        manifests.write(manifests.build(load_guides(folder), DAY, folder), folder)
    except StarterError:
        pass
    return check(folder, laws)


def rules(report: Report) -> set[str]:
    """Rules that were broken, but for those that only a whole set can keep."""
    return {f.rule for f in report.findings if f.rule != "coverage"}


def test_the_few_files_are_faultless_before(starter: Path) -> None:
    assert rules(check(starter)) == set()


FRONT_FAULTS: dict[str, tuple[str, Edit]] = {
    "an unknown key": ("schema", lambda t: t.replace("kind:", "extra: 1\nkind:", 1)),
    "a missing key": ("schema", lambda t: re.sub(r"\ndepartment: .*", "", t, count=1)),
    "a wrong status": ("schema", lambda t: t.replace("status: 现行有效", "status: 有效", 1)),
    "no date": ("schema", lambda t: re.sub(r"\nissued: .*", "\nissued: 去年", t, count=1)),
    "another region": ("schema", lambda t: re.sub(r"\nregion: .*", "\nregion: 外省", t, count=1)),
    "a basis without article": (
        "schema",
        lambda t: re.sub(r"article: [^}\n]*", "article: 有关规定", t, count=1),
    ),
    "no basis": ("basis", lambda t: re.sub(r"basis:\n(  - .*\n)+", "basis: []\n", t, count=1)),
    "an id of another file": (
        "name",
        lambda t: re.sub(r"\nid: .*", "\nid: zzz-999", t, count=1),
    ),
    "another title": ("title", lambda t: re.sub(r"\n# .*", "\n# 别的标题", t, count=1)),
    "issued after it took effect": (
        "dates",
        lambda t: re.sub(r"\nissued: .*", "\nissued: 2099-01-01", t, count=1),
    ),
    "ends before it begins": (
        "dates",
        lambda t: re.sub(r"\neffective_to: .*", "\neffective_to: 1999-01-01", t, count=1),
    ),
    "in force though not yet": (
        "status",
        lambda t: re.sub(r"\neffective_from: .*", "\neffective_from: 2030-01-01", t, count=1),
    ),
    "replaced by nobody": (
        "replaced_by",
        lambda t: t.replace("status: 现行有效", "status: 已废止\nreplaced_by: zzz-999", 1),
    ),
    "repealed without successor": (
        "replaced_by",
        lambda t: t.replace("status: 现行有效", "status: 已废止", 1),
    ),
    "a mobile number": ("personal_data", lambda t: t + "\n联系人手机：13800138000\n"),
    "an identity number": ("personal_data", lambda t: t + "\n身份证号：11010519491231002X\n"),
    "a real telephone number": ("personal_data", lambda t: t + "\n电话：010-66012345\n"),
}


@pytest.mark.parametrize("name", FRONT_FAULTS)
def test_planted_fault(starter: Path, name: str) -> None:
    rule, edit = FRONT_FAULTS[name]
    path = find(starter, kind="办事指南", status="现行有效", effective_to="None")
    assert rule in rules(spoil(starter, path, edit))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_must_be_there(starter: Path, section: str) -> None:
    path = find(starter, kind="办事指南", status="现行有效")
    report = spoil(starter, path, lambda t: t.replace(f"## {section}\n", "## 其他\n"))
    assert rules(report) == {"section"} and section in report.findings[0].message


def test_a_section_must_say_something(starter: Path) -> None:
    path = find(starter, kind="办事指南", status="现行有效")
    empty = re.compile(r"## 收费标准\n(?:(?!##).*\n)*")
    assert rules(spoil(starter, path, lambda t: empty.sub("## 收费标准\n\n", t))) == {"section"}


def test_a_policy_needs_its_articles_and_its_date(starter: Path) -> None:
    path = find(starter, kind="政策文件", status="现行有效")
    assert "articles" in rules(spoil(starter, path, lambda t: t.replace("第三条 ", "")))
    assert "effective" in rules(
        spoil(starter, path, lambda t: re.sub(r"日(起?)(施行|实施|执行)", r"日\1生长", t))
    )


def test_a_copied_text_is_found(starter: Path) -> None:
    source = find(starter, kind="办事指南", status="现行有效")
    path = next(p for p in (starter / "guides").rglob("*.md") if p != source)
    body = source.read_text("utf-8").split("---\n", 2)[2]
    report = spoil(starter, path, lambda t: t + body)
    assert "alike" in rules(report)


def test_a_number_used_twice_is_found(starter: Path) -> None:
    path = find(starter, kind="办事指南", status="现行有效")
    shutil.copy(path, path.with_name("copy.md"))
    assert {"unique", "name", "alike"} <= rules(check(starter))


def test_a_changed_missing_or_new_file_does_not_fit_the_manifest(starter: Path) -> None:
    files = sorted((starter / "guides").rglob("*.md"))
    files[0].write_text(files[0].read_text("utf-8") + "\n补一句。\n", "utf-8")
    files[1].unlink()
    found = [f for f in check(starter).findings if f.rule == "manifest"]
    assert sorted(f.message[:3] for f in found) == ["已改动", "文件缺"]
    (starter / manifests.NAME).unlink()
    assert "manifest" in rules(check(starter))


def test_an_article_that_is_not_in_the_law_is_an_error(starter: Path) -> None:
    path = find(starter, kind="办事指南", status="现行有效")
    law = load_guide(path).meta.basis[0].law
    book = LawBook({law.removeprefix("中华人民共和国"): frozenset({(9_999, 0)})})
    report = spoil(starter, path, lambda t: t + f"\n见《{law}》第一条。\n", book)
    assert {"basis", "cited"} <= rules(report)


def test_too_few_files(starter: Path) -> None:
    assert "coverage" in {f.rule for f in check(starter).findings}


# --- parts --------------------------------------------------------------------------------------


def test_newest_version_of_a_law_counts_and_parts_of_a_code_together(tmp_path: Path) -> None:
    head = "# 中华人民共和国{}\n\n2020年1月1日 通过\n\n<!-- INFO END -->\n\n"
    for name, text in {
        "某法(2001-01-01).md": head.format("某法") + "第一条 甲。\n\n第二条 乙。\n",
        "某法(2020-01-01).md": head.format("某法") + "第一条 甲。\n\n第一条之一 乙。\n",
        "总则.md": "# 中华人民共和国某典\n\n# 总则\n\n<!-- INFO END -->\n\n第一条 甲。\n",
        "附则.md": "# 中华人民共和国某典\n\n# 附则\n\n<!-- INFO END -->\n\n"
        "第二条 乙。 第三条 丙。\n",
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
    book = read_laws(tmp_path)
    assert book.resolve("某法", "第一条之一") == "resolved"
    assert book.resolve("中华人民共和国某法", "第二条") == "unresolved"
    assert {book.resolve("某典", f"第{n}条") for n in "一二三"} == {"resolved"}
    assert book.resolve("他法", "第一条") == "law_not_there"


def test_containment() -> None:
    assert containment(grams("申请材料齐全的"), grams("## 标题\n申请，材料 齐全的予以受理")) == 1.0
    assert containment(grams("甲乙丙丁戊己"), grams("子丑寅卯辰巳")) == 0.0
    assert containment(grams(""), grams("甲")) == 0.0


def test_the_card_says_what_it_is_and_is_not() -> None:
    listed = manifests.read()
    text = card(load_guides(), listed)
    assert all(words in text for words in ("## 是什么", "## 不是什么", "虚构", listed.digest))
    assert text.count("\n- `") == sum(bool(g.meta.uncertain) for g in load_guides())
    assert (STARTER / "README.md").read_text("utf-8") == text


# --- commands -----------------------------------------------------------------------------------


def test_check_command() -> None:
    result = CliRunner().invoke(app, ["check", "--json"])
    body = json.loads(result.stdout)
    assert result.exit_code == 0 and body["ok"] and body["findings"] == []


def test_check_command_fails_and_says_where(starter: Path) -> None:
    path = find(starter, kind="办事指南", status="现行有效")
    path.write_text(path.read_text("utf-8").replace("## 收费标准", "## 费用"), "utf-8")
    result = CliRunner().invoke(app, ["check", "--starter", str(starter)])
    assert result.exit_code == 1 and "收费标准" in result.stdout
    arguments = ["check", "--starter", str(starter), "--write-manifest", "--json"]
    body = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert "section" in {f["rule"] for f in body["findings"]}


def test_errors_of_the_commands_are_json_too(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["card", "--starter", str(tmp_path), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "starter"
    missing = CliRunner().invoke(app, ["check", "--laws", str(tmp_path / "none"), "--json"])
    assert "--laws" in json.loads(missing.stdout)["error"]["message"]


def test_card_command(tmp_path: Path) -> None:
    out = tmp_path / "card.md"
    assert CliRunner().invoke(app, ["card", "--out", str(out)]).exit_code == 0
    assert out.read_text("utf-8").startswith("# 数据集卡片")
