"""Answers one HTTP request to a model through the governed path. Knows ASGI; knows no wire."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import body_of, from_error
from zhengwu.gateway.governed.asked import Asked
from zhengwu.gateway.governed.path import Governed
from zhengwu.gateway.governed.relay import Relayed
from zhengwu.gateway.limits.headers import rate_headers
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.reply import note
from zhengwu.gateway.stream import EventSender, Headers, ReaderLeft, UntilLeft


class GovernedAnswer(Response):
    """Opens `asked` and sends what comes: whole, or as a stream.

    A stream that breaks off ends with an error event, not silently; whatever fails before
    anything was sent is raised, and becomes an HTTP error.
    """

    def __init__(self, governed: Governed, asked: Asked, metrics: Metrics) -> None:
        super().__init__()
        self._governed = governed
        self._asked = asked
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer. It is settled and recorded before its last byte goes out."""
        sender = EventSender(send, self._metrics)
        whole: bytes | None = None
        headers: Headers = []
        relayed: Relayed | None = None
        try:
            async with UntilLeft(receive), self._governed.open(self._asked) as relayed:
                note(scope, model=relayed.model, grade=relayed.grade)
                sender.headers = headers = _rate_headers(relayed)
                if relayed.stream:
                    await sender.send_all(relayed.chunks())
                else:
                    whole = await relayed.whole()
        except ReaderLeft:
            if relayed is None or not relayed.ended:
                note(scope, outcome="left")
            return
        except ZhengwuError as error:
            if not sender.began:
                raise
            note(scope, outcome="cut", code=error.code)
            told = body_of(from_error(error), scope["path"], self._asked.request_id)
            await sender.end(b"data: " + told + b"\n\n")
            return
        if whole is None:
            await sender.end()
        else:
            await _send_whole(send, whole, headers)


def _rate_headers(relayed: Relayed) -> Headers:
    if relayed.reservation is None:
        return []
    named = rate_headers(relayed.reservation)
    return [(name.encode(), value.encode()) for name, value in named.items()]


async def _send_whole(send: Send, body: bytes, headers: Headers) -> None:
    own = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
