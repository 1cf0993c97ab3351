from pathlib import Path

from tests.rag.shelf import ingest, write

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.rag.knowledge import Knowledge
from zhengwu.rag.langchain_retriever import KnowledgeRetriever


async def test_langchain_finds_what_the_store_finds(tmp_path: Path) -> None:
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path / 'k.db'}")
    try:
        await migrate(engine)
        page = write(
            tmp_path / "docs", "a.md", "临时占道办事指南", "占用人行道须先经审批。", id="a"
        )
        await ingest(engine, tmp_path / "store", page)
        retriever = KnowledgeRetriever(knowledge=Knowledge(engine, tmp_path / "store"), kb="k")
        found = await retriever.ainvoke("占用人行道要审批吗")
        assert [d.metadata["doc_id"] for d in found] == ["a"]
        assert "人行道" in found[0].page_content
    finally:
        await engine.dispose()
