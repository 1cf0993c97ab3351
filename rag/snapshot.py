"""One published state of a knowledge base, opened for searching. Blocking: run it in a thread.

Scores, filters by region and validity, and orders; knows no database and no network.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from zhengwu.rag.asked_index import AskedIndex, AskedMatch
from zhengwu.rag.fuse import WRONG_REGION, Scores, fuse
from zhengwu.rag.index.fulltext import TextHit, TextReader
from zhengwu.rag.index.vectors import VectorReader, Vectors
from zhengwu.rag.regions import Gazetteer, applies, gazetteer, related
from zhengwu.rag.text.query import weigh_query
from zhengwu.rag.validity import Span, holds, status_on

CANDIDATES = 200
NEAREST = 50


@dataclass(frozen=True)
class DocumentInfo:
    """What every hit says of its document."""

    id: int
    doc_id: str
    title: str
    kind: str
    organ: str | None
    document_number: str | None
    region: str | None
    """The region it was made for; None where it does not say, "" for the nation."""
    named_regions: tuple[str, ...]
    """Regions that its title or head names, where it does not state one."""
    issued: date | None
    span: Span
    grade: int


@dataclass(frozen=True)
class Request:
    """A search. `region` None searches everywhere; a path only what applies there.

    `day` is when what is found must hold; None finds whatever was ever in force.
    """

    text: str
    day: date | None
    region: str | None = None
    rewritten: str = ""
    """Other words for the question, as a model gave them."""
    top: int = 10
    own_region: float = 0.0
    """What a document made for the very place that is asked from gains, of the best text score."""
    excluded: frozenset[str] = frozenset()
    """Ids of documents that must not be found."""


@dataclass(frozen=True)
class Ranked:
    """A chunk's place before its text is read."""

    chunk: int
    document: DocumentInfo
    status: str
    scores: Scores
    asked: AskedMatch | None = None


class Snapshot:
    """The readers of one generation and what is known of its documents."""

    def __init__(
        self,
        generation: int,
        text: TextReader,
        vectors: VectorReader,
        documents: Mapping[int, DocumentInfo],
        asked: AskedIndex,
    ) -> None:
        self._asked = asked
        self.generation = generation
        self._text = text
        self._vectors = vectors
        self._documents = documents
        stated = frozenset(d.region for d in documents.values() if d.region)
        self.regions: Gazetteer = gazetteer(stated)
        self.stated_regions = sorted(stated)

    def search(self, request: Request, query: Vectors | None) -> list[Ranked]:
        """The best chunks in order; `query` is the question's unit vector, where there is one."""
        asked = self._asked.nearest(request.text, query)
        kept = self._kept(request, query, asked)
        cosines = self._vectors.cosines(query, [h.chunk for h in kept]) if query is not None else {}
        place = {hit.document: self._place(hit.document, request) for hit in kept}
        likeness = {chunk: match.similarity for chunk, match in asked.items()}
        scores = fuse(kept, cosines, place, likeness)
        order = sorted(zip(kept, scores, strict=True), key=lambda pair: -pair[1].total)
        return [
            self._ranked(hit, score, request.day, asked.get(hit.chunk))
            for hit, score in order[: request.top]
        ]

    def weigh(self, terms: Mapping[str, float]) -> dict[str, float]:
        """How much each term tells: its weight by its inverse document frequency."""
        shares = {term: self._text.document_frequency(term) for term in terms}
        # A bigram that no document has is most often two words' edges meeting, not a rare thing.
        known = {term: share for term, share in shares.items() if share or term[0] != "#"}
        return {term: -terms[term] * math.log(share + 1e-4) for term, share in known.items()}

    def _kept(
        self, request: Request, query: Vectors | None, asked: Mapping[int, AskedMatch]
    ) -> list[TextHit]:
        """Candidates that may be shown; looks further where others' documents fill the list."""
        limit = CANDIDATES
        while True:
            hits = self._candidates(request, query, limit, asked)
            kept = [hit for hit in hits if self._may_show(hit.document, request)]
            if len(kept) >= request.top or len(hits) < limit:
                return kept
            limit *= 4

    def _candidates(
        self,
        request: Request,
        query: Vectors | None,
        limit: int,
        asked: Mapping[int, AskedMatch],
    ) -> list[TextHit]:
        hits = self._text.search(weigh_query(request.text, request.rewritten), limit)
        known = {hit.chunk for hit in hits}
        answering = self._asked.documents_of([chunk for chunk in asked if chunk not in known])
        hits += [TextHit(chunk, document, 0.0, 0.0) for chunk, document in answering.items()]
        known |= answering.keys()
        if query is None or not len(self._vectors):
            return hits
        nearest = NEAREST * limit // CANDIDATES
        near = [hit.chunk for hit in self._vectors.search(query, nearest) if hit.chunk not in known]
        found = self._text.documents_of(near)
        return hits + [TextHit(chunk, found[chunk], 0.0, 0.0) for chunk in near if chunk in found]

    def _may_show(self, document: int, request: Request) -> bool:
        info = self._documents.get(document)
        if info is None or (request.day and not holds(info.span, request.day)):
            return False
        if info.doc_id in request.excluded:
            return False
        return request.region is None or applies(info.region or "", request.region)

    def _place(self, document: int, request: Request) -> float:
        if self._wrong_region(document, request.text):
            return -WRONG_REGION
        about = self._documents[document].region
        return request.own_region if about and request.region is not None else 0.0

    def _wrong_region(self, document: int, text: str) -> bool:
        """Whether the question names places and the document is about other ones only."""
        asked = self.regions.mentioned(text)
        info = self._documents[document]
        about = (info.region,) if info.region else info.named_regions
        return bool(asked and about) and not any(related(a, b) for a in asked for b in about)

    def _ranked(
        self, hit: TextHit, scores: Scores, day: date | None, asked: AskedMatch | None
    ) -> Ranked:
        info = self._documents[hit.document]
        return Ranked(hit.chunk, info, status_on(info.span, day or date.today()), scores, asked)
