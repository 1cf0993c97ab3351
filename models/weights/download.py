"""One file over HTTP into a `.part`, taken up where it was left. Knows no hub and no digest."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from zhengwu.errors import OutboundError
from zhengwu.models.errors import SourceFailed
from zhengwu.models.weights.digest import Tell
from zhengwu.outbound import Outbound

BLOCK = 1 << 20
TRIES = 4
"""How often a download that got further is taken up again before the next source is tried."""


class Unreachable(SourceFailed):
    """Nothing answered at all: the whole hub may be taken for dead."""


@dataclass(frozen=True)
class Downloader:
    """Downloads through one open client. `timeout_s` bounds the wait for the headers."""

    client: Outbound
    timeout_s: float

    async def json(self, url: str) -> object:
        """Return a JSON answer.

        Raises:
            SourceFailed: there is none.
        """
        try:
            async with self._answer(url, {}) as response:
                _accept(response, url)
                return json.loads(await response.read())
        except OutboundError as error:
            raise SourceFailed(str(error)) from error
        except ValueError as error:
            raise SourceFailed(f"{url} 返回的不是 JSON") from error

    async def file(self, url: str, part: Path, size: int, tell: Tell) -> None:
        """Bring `part` to `size` bytes; what is there already is not asked for again.

        Raises:
            SourceFailed: it got stuck; `part` keeps what came.
        """
        for attempt in range(1, TRIES + 1):
            before = _size(part)
            if before == size:
                return
            try:
                await self._rest(url, part, size, tell)
                return
            except OutboundError as error:
                if attempt == TRIES or _size(part) <= before:
                    raise SourceFailed(f"下载中断在 {_size(part)}/{size} 字节：{error}") from error

    async def _rest(self, url: str, part: Path, size: int, tell: Tell) -> None:
        held = _size(part)
        if held > size:
            part.unlink()
            held = 0
        headers = {"Range": f"bytes={held}-"} if held else {}
        async with self._answer(url, headers) as response:
            _accept(response, url)
            resumed = response.status == 206 and _starts_at(response, held)
            if held and not resumed and response.status == 206:
                raise SourceFailed(f"{url} 返回了错误的区间 {response.headers['Content-Range']}")
            done = held if resumed else 0
            with part.open("ab" if resumed else "wb") as stream:
                async for block in response.content.iter_chunked(BLOCK):
                    stream.write(block)
                    done += len(block)
                    tell(done)
                    if done > size:
                        break  # not our file: the digest will say so

    @asynccontextmanager
    async def _answer(
        self, url: str, headers: dict[str, str]
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        # Content must come as it is: a compressed range could not be joined.
        headers = {**headers, "Accept-Encoding": "identity"}
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self.timeout_s):
                    response = await stack.enter_async_context(self.client.get(url, headers))
            except TimeoutError as error:
                raise Unreachable(f"{url} 在 {self.timeout_s:g} 秒内没有应答") from error
            except OutboundError as error:
                raise Unreachable(str(error)) from error
            yield response


def _accept(response: aiohttp.ClientResponse, url: str) -> None:
    if response.status not in (200, 206):
        raise SourceFailed(f"{url} 返回 HTTP {response.status}")
    if url.startswith("https:") and response.url.scheme != "https":
        raise SourceFailed(f"{url} 被转到不加密的地址 {response.url}")
    if response.content_type == "text/html":
        raise SourceFailed(f"{url} 返回了网页而不是文件，可能被门户或代理拦截")


def _starts_at(response: aiohttp.ClientResponse, offset: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
