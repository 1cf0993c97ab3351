"""The built pages, held in memory with their compressed forms. Knows files, no application.

`index.html` gets a fresh nonce with every answer, because antd writes its styles at run time;
scripts come only from our own hashed files.
"""

import gzip
import mimetypes
import secrets
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from zhengwu.gateway.errors import PageNotBuilt

DIST = Path(__file__).parent / "web" / "dist"
NONCE = b"__CSP_NONCE__"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self'; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
IMMUTABLE = "public, max-age=31536000, immutable"
AN_HOUR = "public, max-age=3600"
COMPRESSIBLE = ("text/", "application/javascript", "image/svg")


@dataclass(frozen=True)
class PageFile:
    """One built file. `packed` is its gzip form where that is worth having."""

    body: bytes
    packed: bytes | None
    media_type: str
    cache: str


class Pages:
    """Every file under `dist`, read once."""

    def __init__(self, dist: Path = DIST) -> None:
        index = dist / "index.html"
        self._index = index.read_bytes() if index.is_file() else None
        files = (path for path in dist.rglob("*") if path.is_file() and path != index)
        self._files = {path.relative_to(dist).as_posix(): _read(path) for path in files}

    def index(self) -> Response:
        """The page, with a nonce of its own.

        Raises:
            PageNotBuilt: there is no built page.
        """
        if self._index is None:
            raise PageNotBuilt(
                "页面尚未构建，请运行 make setup，或在 gateway/web 中 npm run build。"
            )
        nonce = secrets.token_urlsafe(18)
        headers = {
            "content-security-policy": POLICY.format(nonce=nonce),
            "cache-control": "no-store",
        }
        body = self._index.replace(NONCE, nonce.encode())
        return Response(body, headers=headers, media_type="text/html")

    def file(self, name: str, accepts: str) -> Response | None:
        """A file by its name under `dist`, packed if the caller accepts that."""
        found = self._files.get(name)
        if found is None:
            return None
        headers = {"cache-control": found.cache, "vary": "accept-encoding"}
        packed = found.packed if "gzip" in accepts else None
        if packed is None:
            return Response(found.body, headers=headers, media_type=found.media_type)
        headers["content-encoding"] = "gzip"
        return Response(packed, headers=headers, media_type=found.media_type)


def _read(path: Path) -> PageFile:
    body = path.read_bytes()
    kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0]
    media_type = kind or "application/octet-stream"
    worth = len(body) > 1024 and media_type.startswith(COMPRESSIBLE)
    packed = gzip.compress(body, mtime=0) if worth else None
    cache = IMMUTABLE if path.parent.name == "assets" else AN_HOUR
    return PageFile(body, packed, media_type, cache)


def page_routes(pages: Pages) -> APIRouter:
    """The routes of the pages."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def index() -> Response:  # pyright: ignore[reportUnusedFunction]
        return pages.index()

    @routes.get("/favicon.svg")
    @routes.get("/assets/{name}")
    async def file(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        name = request.url.path.removeprefix("/")
        found = pages.file(name, request.headers.get("accept-encoding", ""))
        if found is None:
            raise HTTPException(404)
        return found

    return routes
