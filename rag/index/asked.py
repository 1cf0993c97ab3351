"""The full-text half of the asked questions: BM25 over each question by itself (tantivy).

Kept apart from the chunks: a question is short, and is compared with questions. Knows ids and
terms, no database.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tantivy

from zhengwu.rag.text.segment import query_terms

HEAP_BYTES = 32_000_000
FOLDER = "asked"


@dataclass(frozen=True)
class AskedHit:
    """A question that was found."""

    asked: int
    score: float


def schema() -> tantivy.Schema:
    """The terms of a question, its id and its document's."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
    builder.add_unsigned_field("asked", indexed=True, fast=True)
    builder.add_unsigned_field("document", indexed=True, fast=True)
    return builder.build()


class AskedWriter:
    """The only writer; the caller holds the knowledge store's file lock."""

    def __init__(self, folder: Path) -> None:
        self._writer = _open(folder).writer(HEAP_BYTES, 1)

    def replace(self, document: int, asked: Iterable[tuple[int, str]]) -> None:
        """Put the questions of a document, as (id, text), in the place of all it had."""
        query = tantivy.Query.term_query(schema(), "document", document)
        self._writer.delete_documents_by_query(query)
        for name, text in asked:
            entry = tantivy.Document()
            entry.add_text("terms", " ".join(query_terms(text)))
            entry.add_unsigned("asked", name)
            entry.add_unsigned("document", document)
            self._writer.add_document(entry)

    def commit(self) -> None:
        """Make everything searchable."""
        self._writer.commit()

    def close(self) -> None:
        """Wait for merges; what was not committed is dropped."""
        self._writer.wait_merging_threads()


class AskedReader:
    """A fixed state of the index, safe to search from several threads."""

    def __init__(self, folder: Path) -> None:
        self._schema = schema()
        self._searcher = _open(folder).searcher()

    def search(self, query: Mapping[str, float], limit: int) -> list[AskedHit]:
        """The best `limit` questions for terms with weights."""
        if not query or not self._searcher.num_docs:
            return []
        asked = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(self._term(term), weight))
            for term, weight in query.items()
        ]
        found = self._searcher.search(tantivy.Query.boolean_query(asked), limit, count=False).hits
        names = self._searcher.fast_field_values("asked", [address for _, address in found])
        return [
            AskedHit(int(name or 0), float(score))
            for name, (score, _) in zip(names, found, strict=True)
        ]

    def rarity(self, term: str) -> float:
        """How much a term tells: its inverse document frequency over all questions, as in BM25."""
        count, held = self._searcher.num_docs, self._searcher.doc_freq("terms", term)
        return math.log(1 + (count - held + 0.5) / (held + 0.5))

    def _term(self, term: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, "terms", term, "freq")


def _open(folder: Path) -> tantivy.Index:
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    index = tantivy.Index(schema(), path=str(folder / FOLDER))
    index.config_reader("manual")
    index.reload()
    return index
