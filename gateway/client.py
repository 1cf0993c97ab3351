"""Ask a running gateway as a page does: `POST /api/qa`, server-sent events back.

Used by the command line and by evaluations, so that they take the same path as people.
"""

from collections.abc import AsyncGenerator

import orjson
from pydantic import TypeAdapter, ValidationError

from zhengwu.agents.qa.events import Event
from zhengwu.errors import ZhengwuError
from zhengwu.models.sse import SseParser
from zhengwu.outbound import Outbound

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
ANSWER_S = 300.0


class AskFailed(ZhengwuError):
    """The gateway did not take the question, or the stream broke off."""

    code = "ask_failed"


async def ask(
    url: str,
    question: str,
    kb: str | None = None,
    region: str | None = None,
    as_of: str | None = None,
) -> AsyncGenerator[Event]:
    """The events of one question asked at the gateway `url`.

    Raises:
        AskFailed: an HTTP error, with the gateway's own message; or no `done` at the end.
        OutboundError: the gateway cannot be reached.
        UpstreamFailed: a line of the stream has no end.
    """
    given = {"question": question, "kb": kb, "region": region, "as_of": as_of}
    body = orjson.dumps({name: value for name, value in given.items() if value is not None})
    ended = False
    async with (
        Outbound("self", 4, ANSWER_S) as outbound,
        outbound.post(f"{url}/api/qa", body, {"content-type": "application/json"}) as response,
    ):
        if response.status != 200:
            raise AskFailed(_message(await response.read(), response.status))
        parser = SseParser()
        async for block in response.content.iter_any():
            for framed in parser.feed(block):
                event = _event(framed.data)
                ended = event.event == "done"
                yield event
    if not ended:
        raise AskFailed("答复未完成：连接中断，请重新提问")


def _event(data: str) -> Event:
    try:
        return EVENT.validate_json(data)
    except ValidationError as error:
        raise AskFailed(f"网关发来的事件无法识别：{error}") from error


def _message(body: bytes, status: int) -> str:
    try:
        return str(orjson.loads(body)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"网关返回 HTTP {status}"
