"""The full-text half of the index: BM25 over chunks and over whole documents (tantivy).

Scores of a chunk and of its document are both needed: a chunk that answers may never name the
place or organ that its document is about (measured in docs/measurements.md). Knows ids and terms,
no database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy

from zhengwu.rag.text.segment import terms

HEAP_BYTES = 64_000_000
CHUNKS, DOCUMENTS = "chunks", "documents"


@dataclass(frozen=True)
class TextHit:
    """A chunk and its two BM25 scores."""

    chunk: int
    document: int
    chunk_score: float
    document_score: float

    def score(self, document_weight: float) -> float:
        """Both scores as one."""
        return self.chunk_score + document_weight * self.document_score


def schema() -> tantivy.Schema:
    """Fields of both indexes. `chunk` is 0 in the index of documents."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
    builder.add_unsigned_field("chunk", indexed=True, fast=True)
    builder.add_unsigned_field("document", indexed=True, fast=True)
    return builder.build()


class TextWriter:
    """The only writer; the caller holds the knowledge store's file lock."""

    def __init__(self, folder: Path) -> None:
        names = (CHUNKS, DOCUMENTS)
        self._writers = {name: _open(folder / name).writer(HEAP_BYTES, 1) for name in names}

    def add(self, document: int, title: str, chunks: Iterable[tuple[int, str, str]]) -> None:
        """Add one document: its title and its chunks as (id, path, text)."""
        whole = terms(title)
        for chunk, path, text in chunks:
            body = terms(text)
            self._put(CHUNKS, [*terms(path), *body], chunk, document)
            whole += body
        self._put(DOCUMENTS, whole, 0, document)

    def remove(self, documents: Iterable[int]) -> None:
        """Remove documents and all their chunks."""
        for document in documents:
            for writer in self._writers.values():
                query = tantivy.Query.term_query(schema(), "document", document)
                writer.delete_documents_by_query(query)

    def commit(self) -> int:
        """Make everything since the last commit searchable; the number of that state."""
        return max(writer.commit() for writer in self._writers.values())

    def close(self) -> None:
        """Wait for merges; what was not committed is dropped."""
        for writer in self._writers.values():
            writer.wait_merging_threads()

    def _put(self, name: str, found: Sequence[str], chunk: int, document: int) -> None:
        entry = tantivy.Document()
        entry.add_text("terms", " ".join(found))
        entry.add_unsigned("chunk", chunk)
        entry.add_unsigned("document", document)
        self._writers[name].add_document(entry)


class TextReader:
    """A fixed state of the index, safe to search from several threads."""

    def __init__(self, folder: Path) -> None:
        self._schema = schema()
        self._chunks = _open(folder / CHUNKS).searcher()
        self._documents = _open(folder / DOCUMENTS).searcher()

    def search(self, query: Mapping[str, float], limit: int) -> list[TextHit]:
        """The best `limit` chunks for terms with weights, each with its document's score."""
        if not query:
            return []
        asked = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(self._term(term), weight))
            for term, weight in query.items()
        ]
        wanted = tantivy.Query.boolean_query(asked)
        scores = dict(
            (document, score) for _, document, score in _hits(self._documents, wanted, limit)
        )
        return [
            TextHit(chunk, document, score, scores.get(document, 0.0))
            for chunk, document, score in _hits(self._chunks, wanted, limit)
        ]

    def documents_of(self, chunks: Sequence[int]) -> dict[int, int]:
        """The document of each of `chunks` that is in this state of the index."""
        wanted = tantivy.Query.term_set_query(self._schema, "chunk", list(chunks))
        hits = _hits(self._chunks, wanted, max(1, len(chunks)))
        return {chunk: document for chunk, document, _ in hits}

    def documents(self) -> set[int]:
        """Every document in this state of the index."""
        everything = tantivy.Query.all_query()
        count = max(1, self._documents.num_docs)
        return {document for _, document, _ in _hits(self._documents, everything, count)}

    def document_frequency(self, term: str) -> float:
        """The share of documents that have `term`."""
        return self._documents.doc_freq("terms", term) / max(1, self._documents.num_docs)

    def _term(self, term: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, "terms", term, "freq")


def _hits(
    searcher: tantivy.Searcher, query: tantivy.Query, limit: int
) -> list[tuple[int, int, float]]:
    found = searcher.search(query, limit, count=False).hits
    addresses = [address for _, address in found]
    chunks = searcher.fast_field_values("chunk", addresses)
    documents = searcher.fast_field_values("document", addresses)
    return [
        (int(chunk or 0), int(document or 0), float(score))
        for chunk, document, (score, _) in zip(chunks, documents, found, strict=True)
    ]


def _open(folder: Path) -> tantivy.Index:
    folder.mkdir(parents=True, exist_ok=True)
    index = tantivy.Index(schema(), path=str(folder))
    index.config_reader("manual")
    index.reload()
    return index
