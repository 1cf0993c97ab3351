"""A provider of identities on the loopback: discovery, keys, codes and tokens, for real.

It answers as OpenID Connect Core says; `twist` makes it answer as an attacker would.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from joserfc import jws
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT, SECRET = "zhengwu", "s3cret:/?"
Claims = dict[str, Any]


def same(claims: Claims) -> Claims:
    return claims


@dataclass
class Identities:
    """The provider, and how it is twisted."""

    url: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}))
    person: Claims = field(
        default_factory=lambda: {"sub": "s-1", "preferred_username": "zhao.liu", "roles": ["dev"]}
    )
    twist: Callable[[Claims], Claims] = same
    sign: Callable[[Claims], str] | None = None
    metadata: Claims = field(default_factory=dict[str, Any])
    codes: dict[str, Claims] = field(default_factory=dict[str, Claims])
    asked: list[Claims] = field(default_factory=list[Claims])

    def authorize(self, url: str) -> dict[str, str]:
        """What a person's browser does there: it brings back a code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.url}

    async def discovery(self, request: web.Request) -> web.Response:
        told = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "authorization_response_iss_parameter_supported": True,
        }
        return web.json_response({**told, **self.metadata})

    async def keys(self, request: web.Request) -> web.Response:
        shared = OctKey.import_key("x" * 32, {"kid": "shared"})
        keys = KeySet([self.key]).as_dict(private=False)["keys"]
        return web.json_response({"keys": [*keys, shared.as_dict(private=True)]})

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self.codes.pop(str(form["code"]), None)
        basic = base64.b64decode(request.headers["authorization"].split()[1]).decode()
        challenge = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        expected = base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
        if (
            asked is None
            or basic != f"{CLIENT}:s3cret%3A%2F%3F"
            or asked["code_challenge"] != expected
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, **self.person}
        claims = self.twist({**claims, "nonce": asked["nonce"]})
        token = self.sign(claims) if self.sign else self.signed(claims)
        return web.json_response({"id_token": token, "token_type": "Bearer", "access_token": "a"})

    def signed(self, claims: Claims) -> str:
        header = {"alg": "RS256", "kid": str(self.key.kid), "typ": "JWT"}
        return jws.serialize_compact(header, json.dumps(claims).encode(), self.key)

    async def away(self, request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("http://192.0.2.1/token")


@asynccontextmanager
async def running_identities() -> AsyncGenerator[Identities]:
    """The provider, on a free port."""
    identities = Identities()
    app = web.Application()
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", identities.discovery),
            web.get("/keys", identities.keys),
            web.post("/token", identities.token),
            web.post("/away", identities.away),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    identities.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield identities
    finally:
        await runner.cleanup()
