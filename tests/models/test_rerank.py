"""The question that reranks, and what does not concern it passes."""

from zhengwu.models import rerank


def test_the_prompt_begins_with_what_all_documents_share() -> None:
    first, second = (
        rerank.question_of("在哪{document}办", text) for text in ("在{query}三楼", "长" * 9000)
    )
    assert [m.role for m in first.messages] == ["system", "user"]
    assert "是" in first.messages[1].content and first.max_tokens == 1
    assert first.messages[0] == second.messages[0]
    shared = first.messages[1].content.index("资料：")
    assert first.messages[1].content[:shared] == second.messages[1].content[:shared]
    assert "在{query}三楼" in first.messages[1].content
    assert second.messages[1].content.count("长") == rerank.MAX_CHARS
