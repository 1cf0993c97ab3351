"""The weighted terms of a question: its own words, the official ones, and rewritten ones."""

from zhengwu.rag.text.segment import query_terms
from zhengwu.rag.text.spoken import thesaurus

OFFICIAL_WEIGHT = 0.35
REWRITTEN_WEIGHT = 0.6


def weigh_query(text: str, rewritten: str = "") -> dict[str, float]:
    """Each term and its weight; a term that comes in twice keeps the higher one.

    Args:
        text: what the person asked; its terms weigh 1.
        rewritten: other words for it, from a model; may be empty.
    """
    weights = dict.fromkeys(query_terms(text), 1.0)
    for word in thesaurus().widen(text):
        for term in query_terms(word):
            weights.setdefault(term, OFFICIAL_WEIGHT)
    for term in query_terms(rewritten):
        weights.setdefault(term, REWRITTEN_WEIGHT)
    return weights
