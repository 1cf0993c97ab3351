"""The governed path with assistants: a model name that no model has may be an assistant's.

Wraps the path. An assistant asks along the same path as everybody, as its caller with the rights
that caller and owner share; every round of tools is a request of its own there. Knows the order.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.assistants.definition import asked_name
from zhengwu.gateway.assistants.errors import ToolFailed
from zhengwu.gateway.assistants.knowledge import Searches, find_passages
from zhengwu.gateway.assistants.prompt import assisted, question_of
from zhengwu.gateway.assistants.rights import restricted
from zhengwu.gateway.assistants.store import Catalogue, Found
from zhengwu.gateway.assistants.tools.call import Calls
from zhengwu.gateway.assistants.tools.function import Function
from zhengwu.gateway.governed.asked import Asked
from zhengwu.gateway.governed.body import read_body
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.path import Governed
from zhengwu.gateway.governed.relay import Relayed
from zhengwu.gateway.served import Served
from zhengwu.models.shape import NAME

CHAT = "chat/completions"
MAX_ROUNDS, MAX_CALLS, MOST_S = 5, 16, 120.0


class OwnersById(Protocol):
    """Tells what the owner of an assistant may do now."""

    async def by_id(self, key_id: str) -> Caller:
        """The caller of that key; KeyRefused where it may not be used any more."""
        ...


@dataclass(frozen=True)
class AssistantParts:
    """What assistants stand on."""

    catalogue: Catalogue
    owners: OwnersById
    knowledge: Searches
    toolbox: Calls


class Told(Relayed):
    """The answer after rounds of tools: whole already, given as a stream where one was asked."""

    def __init__(self, last: Relayed, body: bytes, stream: bool, usage: bool) -> None:
        self._last, self._body, self._stream, self._usage = last, body, stream, usage
        super().__init__(last._reply, last._passage)

    @property
    def stream(self) -> bool:
        """Whether the request asked for a stream."""
        return self._stream

    async def whole(self) -> bytes:
        """All of the body."""
        return self._body

    def chunks(self) -> AsyncIterator[bytes]:
        """The body; of a stream, its events."""
        return self._told()

    async def _told(self) -> AsyncGenerator[bytes]:
        if not self._stream:
            yield self._body
            return
        for event in events_of(orjson.loads(self._body), self._usage):
            yield b"data: %s\n\n" % orjson.dumps(event)
        yield b"data: [DONE]\n\n"


class AssistedGoverned(Governed):
    """Opens requests to models and to assistants."""

    def __init__(self, governed: Governed, parts: AssistantParts) -> None:
        self._governed = governed
        self._assistants = parts

    @property
    def served(self) -> Served:
        """The models that may be asked for; assistants are not among them."""
        return self._governed.served

    @asynccontextmanager
    async def open(self, asked: Asked) -> AsyncGenerator[Relayed]:
        """Take `asked` along the path, as the assistant it names if it names one.

        Raises:
            ZhengwuError: as the path does; and when an assistant may not do what is asked.
        """
        found = await self._found(asked)
        if found is None:
            async with self._governed.open(asked) as relayed:
                yield relayed
            return
        fields = read_body(asked.path, asked.body)
        definition = found.version.definition
        functions = [Function.model_validate(each) for each in found.version.functions]
        caller = await self._caller(asked.caller, found)
        passages = None
        if definition.kbs:
            passages = await find_passages(
                self._assistants.knowledge,
                definition.kbs,
                question_of(fields),
                definition.passages,
                caller.grade_ceiling,
            )
        shown = passages.text if passages else None
        inner = replace(
            asked,
            caller=caller,
            knowledge=max(asked.knowledge, passages.grade if passages else 1),
        )
        body = assisted(fields, definition, shown, functions)
        if functions:
            # A tool gets values as they are, so they count as what they are, not as placeholders.
            inner = replace(inner, caller=replace(caller, pseudonymise=False))
            yield await self._rounds(inner, found, body, functions)
            return
        async with self._governed.open(replace(inner, body=orjson.dumps(body))) as relayed:
            yield relayed

    async def _found(self, asked: Asked) -> Found | None:
        """The assistant that the body names; a model of that name goes first."""
        if asked.path != CHAT:
            return None
        first = NAME.search(asked.body)
        if first and self._is_model(first.group(1)):
            return None
        name = read_body(asked.path, asked.body)["model"]
        if self._is_model(orjson.dumps(name)):
            return None
        return await self._assistants.catalogue.usable(asked.caller, *asked_name(name))

    def _is_model(self, name: bytes) -> bool:
        try:
            self.served.get(orjson.loads(name))
        except (ZhengwuError, orjson.JSONDecodeError):
            return False
        return True

    async def _caller(self, caller: Caller, found: Found) -> Caller:
        version, share = found.version, found.share
        owner = await self._assistants.owners.by_id(version.key_id)
        ceiling = version.definition.grade_ceiling
        tenant, quota = (share.tenant, share.quota) if share else (None, {})
        return restricted(caller, owner, ceiling, version.name, tenant, quota)

    async def _rounds(
        self, asked: Asked, found: Found, body: dict[str, Any], functions: list[Function]
    ) -> Relayed:
        """Ask, call what the model chose, and ask again, until it answers."""
        stream = bool(body.pop("stream", False))
        usage = bool((body.pop("stream_options", None) or {}).get("include_usage"))
        ends, calls = time.monotonic() + MOST_S, 0
        by_name = {function.name: function for function in functions}
        for number in range(MAX_ROUNDS + 1):
            if number == MAX_ROUNDS or calls >= MAX_CALLS or time.monotonic() > ends:
                body = {**body, "tool_choice": "none"}  # enough: answer with what is known
            name = f"{asked.request_id}.{number}" if number else asked.request_id
            headers = {**asked.headers, "x-request-id": name}
            round_ = replace(asked, body=orjson.dumps(body), request_id=name, headers=headers)
            async with self._governed.open(round_) as relayed:
                answer = await relayed.whole()
            message = _message(answer)
            wanted = message.get("tool_calls") or []
            if not wanted or body.get("tool_choice") == "none":
                return Told(relayed, answer, stream, usage)
            results = [
                await self._result(call, by_name, found, relayed.grade)
                for call in wanted[: MAX_CALLS - calls]
            ]
            calls += len(results)
            kept = {**message, "tool_calls": wanted[: len(results)]}
            body["messages"] = [*body["messages"], kept, *(told for told, _ in results)]
            grade = max([asked.knowledge, *(grade for _, grade in results)])
            asked = replace(asked, knowledge=grade)
        raise AssertionError("the last round answers")

    async def _result(
        self, call: Mapping[str, Any], by_name: Mapping[str, Function], found: Found, grade: int
    ) -> tuple[dict[str, Any], int]:
        """What a call gave, as a message, and the grade of it."""
        given = call.get("function") or {}
        function = by_name.get(str(given.get("name")))
        gained = 1
        if function is None:
            text = "没有这个功能。"
        else:
            tool = found.version.definition.tools[function.tool]
            try:
                arguments = str(given.get("arguments") or "")
                text = await self._assistants.toolbox.call(tool, function, arguments, grade)
                gained = tool.grade
            except ToolFailed as error:
                text = f"调用失败：{error}"
        return {"role": "tool", "tool_call_id": str(call.get("id")), "content": text}, gained


def _message(answer: bytes) -> dict[str, Any]:
    try:
        return dict(orjson.loads(answer)["choices"][0]["message"])
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return {}


def events_of(answer: Mapping[str, Any], usage: bool) -> list[dict[str, Any]]:
    """A whole chat completion as the events of a stream."""
    named = {name: answer.get(name) for name in ("id", "created", "model")}
    named["object"] = "chat.completion.chunk"
    events: list[dict[str, Any]] = []
    for choice in answer.get("choices") or ():
        at = {"index": choice.get("index", 0)}
        message = choice.get("message") or {}
        delta = {"role": "assistant", "content": message.get("content") or ""}
        events.append({**named, "choices": [{**at, "delta": delta, "finish_reason": None}]})
        reason = choice.get("finish_reason") or "stop"
        events.append({**named, "choices": [{**at, "delta": {}, "finish_reason": reason}]})
    if usage and answer.get("usage"):
        events.append({**named, "choices": [], "usage": answer["usage"]})
    return events
