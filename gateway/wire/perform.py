"""Answers one whole request of the wire by its path. Batches, and whoever has no HTTP, ask here."""

from collections.abc import Mapping

import orjson
from pydantic import ValidationError

from zhengwu.gateway.wire.asked import Asked, Opens
from zhengwu.gateway.wire.errors import UnsupportedParameter, WrongParameter
from zhengwu.gateway.wire.responses.request import ResponsesBody
from zhengwu.gateway.wire.responses.run import Responses

PASSED: Mapping[str, str] = {
    "/v1/chat/completions": "chat/completions",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
}


class Performer:
    """Performs requests that are answered whole."""

    def __init__(self, opens: Opens, responses: Responses) -> None:
        self._opens = opens
        self._responses = responses

    async def perform(self, asked: Asked, path: str, body: bytes) -> bytes:
        """The body of the answer.

        Raises:
            ZhengwuError: as the route of `path` would.
        """
        if path in PASSED:
            async with self._opens.open(asked, PASSED[path], body, False) as opened:
                return await opened.whole()
        if path != "/v1/responses":
            raise UnsupportedParameter(f"不支持 {path[:80]}。", "endpoint")
        try:
            read = ResponsesBody.model_validate_json(body)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise WrongParameter(f"请求参数有误：{where}。", where) from error
        return orjson.dumps(await self._responses.create(asked, read))
