"""Organ, number and dates from a document's own words."""

from datetime import date

from zhengwu.datasets.dates import read_date
from zhengwu.datasets.parse import ParsedDocument
from zhengwu.datasets.parse.markdown import read_markdown
from zhengwu.datasets.parse.text import read_text
from zhengwu.rag.facts import read_facts


def test_a_statute() -> None:
    facts = read_facts(
        read_markdown(
            "# 示范市养犬管理条例\n\n"
            "2019年5月30日 "
            "示范市第十五届人民代表大会常务委员会第十次会议通过\n\n"
            "2021年9月24日 "
            "示范市第十五届人民代表大会常务委员会第三十次会议修正\n\n"
            "<!-- INFO END -->\n\n"
            "第一条 甲。\n\n第二条 本条例自2019年10月1日起施行。"
            "2005年1月1日起施行的旧条例同时废止。\n"
        )
    )
    assert facts.organ == "示范市人民代表大会常务委员会"
    assert (facts.issued, facts.revised) == (date(2019, 5, 30), date(2021, 9, 24))
    assert facts.effective_from == date(2019, 10, 1)
    assert facts.evidence["effective_from"] == "本条例自2019年10月1日起施行"


def test_a_notice() -> None:
    facts = read_facts(
        read_text(
            "示范市人民政府办公室关于做好供暖工作的通知\n示政办发[2024] 12号\n各区人民政府：\n"
            "根据《示范省供热办法》（示政发〔2001〕3号），通知如下。\n"
            "本通知自印发之日起施行，有效期至2026年12月31日。\n示范市人民政府办公室\n二〇二四年十月八日\n"
        )
    )
    assert facts.title == "示范市人民政府办公室关于做好供暖工作的通知"
    assert facts.organ == "示范市人民政府办公室"
    assert facts.document_number == "示政办发〔2024〕12号"
    assert facts.issued == facts.effective_from == date(2024, 10, 8)
    assert facts.effective_to == date(2026, 12, 31)


def test_front_matter_wins_and_titles_lose_their_dates() -> None:
    facts = read_facts(
        ParsedDocument(
            "某法(2018-12-29)", (), {"issued": "2025-03-03", "department": "示范市民政局"}
        )
    )
    assert facts.title == "某法"
    assert facts.issued == date(2025, 3, 3) and facts.organ == "示范市民政局"


def test_number_of_another_document_is_not_its_own() -> None:
    facts = read_facts(read_text("某通知\n为落实《通知》（国发〔2013〕36号）精神，制定本通知。\n"))
    assert facts.document_number is None and facts.organ is None


def test_impossible_dates() -> None:
    assert read_date("2021年2月30日") is None
    assert read_date("一九九三年十一月一日") == date(1993, 11, 1)
    assert read_date("２０２１年１月１日") == date(2021, 1, 1)
