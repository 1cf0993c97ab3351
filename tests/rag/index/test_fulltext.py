"""Full text: two scores a chunk, removed documents gone, other written forms found."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zhengwu.rag.index.fulltext import TextReader, TextWriter
from zhengwu.rag.text.segment import query_terms

DOCUMENTS = {
    1: ("泰州市公积金管理办法", ["职工可以申请提取住房公积金。", "贷款额度由中心确定。"]),
    2: ("生育津贴办事指南", ["女职工生育享受产假的，可以申领生育津贴。"]),
    3: ("义务教育入学办法", ["适龄儿童免试就近入学。", "入学材料包括户口簿。"]),
}


def asked(text: str) -> dict[str, float]:
    return dict.fromkeys(query_terms(text), 1.0)


def fill(folder: Path, documents: dict[int, tuple[str, list[str]]]) -> None:
    writer = TextWriter(folder)
    for document, (title, texts) in documents.items():
        chunks = [(document * 10 + n, title, text) for n, text in enumerate(texts)]
        writer.add(document, title, chunks)
    writer.commit()
    writer.close()


def found(folder: Path, text: str) -> list[int]:
    return [hit.chunk for hit in TextReader(folder).search(asked(text), 10)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path, DOCUMENTS)
    return tmp_path


@pytest.mark.parametrize(
    "question",
    [
        "怎么提取住房公积金",
        "怎麼提取住房公積金",
        "提 取 住 房 公 积 金",
        "提取住房公积金？？",
        "住房\u3000公积金\n提取",
    ],
)
def test_written_forms_find_the_same(folder: Path, question: str) -> None:
    assert found(folder, question)[0] == 10


def test_documents_in_other_forms_are_found(tmp_path: Path) -> None:
    fill(tmp_path, {1: ("生育津貼辦事指南", ["女職工可以申領生育津貼，撥打１２３９３。"])})
    for question in ("生育津贴", "12393", "生 育 津 贴"):
        assert found(tmp_path, question) == [10], question


def test_a_chunk_carries_its_documents_score(folder: Path) -> None:
    hits = {hit.chunk: hit for hit in TextReader(folder).search(asked("泰州公积金贷款"), 10)}
    assert hits[11].document == 1 and hits[11].document_score > 0
    assert hits[10].document_score == hits[11].document_score
    assert hits[11].score(0.5) == hits[11].chunk_score + 0.5 * hits[11].document_score


def test_removed_documents_vanish(folder: Path) -> None:
    before = TextReader(folder)
    writer = TextWriter(folder)
    writer.remove([1, 99])
    writer.commit()
    writer.close()
    assert found(folder, "公积金") == []
    after = TextReader(folder)
    assert after.documents() == {2, 3}
    assert after.documents_of([10, 20]) == {20: 2}
    assert [hit.chunk for hit in before.search(asked("公积金"), 10)], "an open reader stays"


def test_what_is_not_committed_is_not_there(folder: Path) -> None:
    writer = TextWriter(folder)
    writer.add(9, "低保", [(90, "低保", "最低生活保障申请")])
    writer.remove([2])
    writer.close()
    assert found(folder, "最低生活保障") == []
    assert TextReader(folder).documents() == {1, 2, 3}
    fill(folder, {4: ("低保", ["最低生活保障"])})
    assert found(folder, "最低生活保障") == [40]
    assert TextReader(folder).documents() == {1, 2, 3, 4}


def test_replacing_in_one_commit(folder: Path) -> None:
    writer = TextWriter(folder)
    writer.add(5, "生育津贴办事指南", [(50, "指南", "生育津贴新标准")])
    writer.remove([2])
    writer.commit()
    writer.close()
    assert found(folder, "生育津贴") == [50]


def test_an_empty_index_and_empty_questions(tmp_path: Path) -> None:
    reader = TextReader(tmp_path / "new")
    assert reader.search({"公积金": 1.0}, 5) == []
    assert reader.search({}, 5) == []
    assert reader.documents() == set()
    assert reader.documents_of([]) == {}
    assert reader.document_frequency("公积金") == 0


def test_document_frequency_is_a_share(folder: Path) -> None:
    assert TextReader(folder).document_frequency("办法") == pytest.approx(2 / 3)


def test_hostile_terms_are_only_terms(folder: Path) -> None:
    for question in ('" OR 1=1', "a AND (b", "/x/*", "\\", "terms:公积金", "公积金" * 3000):
        TextReader(folder).search(asked(question), 5)


def test_a_document_without_chunks(tmp_path: Path) -> None:
    fill(tmp_path, {1: ("空文件", [])})
    assert found(tmp_path, "空文件") == []
    assert TextReader(tmp_path).documents() == {1}


def test_threads_may_search_together(folder: Path) -> None:
    reader = TextReader(folder)

    def nearest(_: int) -> int:
        return reader.search({"津贴": 1.0}, 1)[0].chunk

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(nearest, range(200))) == {20}
