"""route, retrieve and rewrite: where to look, what is found, and how else to ask for it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from zhengwu.agents.qa.aspect import asks_aspect
from zhengwu.agents.qa.chat import Chat
from zhengwu.agents.qa.events import Source, Sources
from zhengwu.agents.qa.prompt import messages
from zhengwu.agents.qa.state import Emit, State
from zhengwu.agents.qa.steps.guard import SECRET
from zhengwu.models.wire import ChatRequest
from zhengwu.rag.errors import BadQuestion, UnknownRegion
from zhengwu.rag.knowledge import Hit, Knowledge
from zhengwu.rag.regions import related
from zhengwu.rag.snapshot import Request
from zhengwu.rag.text.normalise import clean
from zhengwu.rag.text.segment import query_terms

TOP = 8
LOOKED_AT = 32
OWN_REGION = 0.15
"""What the caller's own place counts when a matter is to be handled there: its guide goes first."""
PER_DOCUMENT = 3
"""How many chunks of one document go on: a long statute must not crowd out the guide beside it."""
SHOWN = 5
QUOTE = 160
REWRITE_TOKENS = 32


class Route:
    """Decides the knowledge base and the region; wrong ones are errors at the door."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    async def __call__(self, state: State, emit: Emit) -> State:
        """Take the region that the question names, where it lies beside the caller's own.

        Raises:
            UnknownKnowledgeBase, UnknownRegion, BadQuestion: naming what there is.
        """
        asked = state.question
        text = clean(asked.text)
        if not query_terms(text):
            raise BadQuestion("问题里没有可以查询的内容，请用完整的话说明要办的事")
        snapshot = await self._knowledge.snapshot(asked.kb)
        if asked.region and not snapshot.regions.knows(asked.region):
            known = "、".join(snapshot.stated_regions) or "全国各省、市"
            raise UnknownRegion(f"没有地区“{asked.region}”；可用：{known}")
        region = asked.region
        for named in snapshot.regions.mentioned(text):
            if region is None or not related(named, region) or named.startswith(f"{region}/"):
                region = named
                break
        return replace(state, question=asked.model_copy(update={"text": text, "region": region}))


class Retrieve:
    """Searches and sends the sources out, before any sentence is written."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    async def __call__(self, state: State, emit: Emit) -> State:
        """Search for the question, and for its rewritten words once there are any."""
        asked = state.question
        day = date.fromisoformat(asked.as_of) if asked.as_of else date.today()
        words = " ".join(state.rewritten)
        request = Request(
            asked.text,
            day,
            asked.region,
            rewritten=words,
            top=LOOKED_AT,
            own_region=OWN_REGION if asks_aspect(asked.text) else 0.0,
        )
        hits = spread(await self._knowledge.search(asked.kb, request), TOP)
        known = {hit.chunk for hit in state.hits}
        # 涉密 is refused at the door (DESIGN §4), also where it was ingested by mistake.
        fresh = tuple(h for h in hits if h.chunk not in known and h.document.grade < SECRET)
        sources = number_sources(state.sources, fresh[:SHOWN])
        if len(sources) > len(state.sources):
            emit(Sources(sources=sources))
        return replace(state, hits=(*state.hits, *fresh), sources=sources)


class Rewrite:
    """Asks the model for the words a statute would use, when what was found does not answer."""

    def __init__(self, chat: Chat, model: str) -> None:
        self._chat = chat
        self._model = model

    async def __call__(self, state: State, emit: Emit) -> State:
        """Add the rewritten words to what is searched for."""
        request = ChatRequest(
            messages=messages("rewrite", question=state.question.text),
            model=self._model,
            temperature=0,
            max_tokens=REWRITE_TOKENS,
            stop=("\n",),
        )
        reply = await self._chat.complete(request, state.grade)
        usage = reply.usage
        state = state.used(usage.prompt_tokens, usage.completion_tokens) if usage else state
        return replace(state, rewritten=(*state.rewritten, clean(reply.text)))


def spread(hits: Sequence[Hit], top: int) -> list[Hit]:
    """The best `top` hits, at most `PER_DOCUMENT` of them from one document."""
    taken: Counter[int] = Counter()
    kept: list[Hit] = []
    for hit in hits:
        taken[hit.document.id] += 1
        if taken[hit.document.id] <= PER_DOCUMENT:
            kept.append(hit)
    return kept[:top]


def number_sources(shown: Sequence[Source], hits: Sequence[Hit]) -> tuple[Source, ...]:
    """The sources shown, and the hits as further ones, numbered on."""
    fresh = [_source(len(shown) + n, hit) for n, hit in enumerate(hits, 1)]
    return (*shown, *fresh)


def _source(ref: int, hit: Hit) -> Source:
    document = hit.document
    start = document.span.effective_from
    return Source(
        ref=ref,
        doc_id=document.doc_id,
        title=document.title,
        clause_id=hit.clause_ids[0],
        path=hit.path,
        quote=hit.text[:QUOTE],
        organ=document.organ,
        document_number=document.document_number,
        region=document.region,
        status=hit.status,
        effective_from=start.isoformat() if start else None,
    )
