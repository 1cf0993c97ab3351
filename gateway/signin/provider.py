"""An OpenID Connect provider: what it says of itself, its keys, and the tokens it gives.

OpenID Connect Core 1.0 (https://openid.net/specs/openid-connect-core-1_0.html), Discovery 1.0,
PKCE (RFC 7636). Knows tokens; knows no user. Every connection goes through `outbound.py`.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from yarl import URL

from zhengwu.errors import OutboundError
from zhengwu.gateway.signin.errors import ProviderRefused, ProviderUnavailable
from zhengwu.outbound import LOOPBACK, Outbound

ALGORITHMS = ("RS256", "PS256", "ES256")
KEY_KINDS = frozenset({"RSA", "EC"})
SKEW_S = 60
OLDEST_S = 600
KEPT_S = 3600.0
AGAIN_S = 30.0
"""A key that is not known is asked for again, not more often than this."""
MAX_BYTES = 512 * 1024
MAX_TOKEN = 32 * 1024
REFUSED = "统一身份认证的答复无法核验，请重新登录。"


@dataclass(frozen=True)
class Client:
    """This platform as the provider knows it."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_url: str
    scopes: str = "openid profile"


@dataclass(frozen=True)
class Metadata:
    """What the provider says of itself."""

    authorization: str
    token: str
    keys: str
    names_itself: bool
    """Whether it adds `iss` to its answers (RFC 9207)."""


class Provider:
    """One provider."""

    def __init__(
        self, client: Client, outbound: Outbound, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._outbound = outbound
        self._clock = clock
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        """Where the browser is sent to sign in."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_url,
            "scope": self._client.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        base = (await self.metadata()).authorization
        return f"{base}{'&' if '?' in base else '?'}{urlencode(asked)}"

    async def check_issuer(self, given: str | None) -> None:
        """Refuse an answer of another provider (RFC 9207).

        Raises:
            ProviderRefused: it names another, or none where it always names itself.
        """
        needed = (await self.metadata()).names_itself
        if (given is None and needed) or (given is not None and given != self._client.issuer):
            raise ProviderRefused(REFUSED)

    async def exchange(self, code: str, verifier: str) -> str:
        """The identity token for a code.

        Raises:
            ProviderRefused: the provider does not take the code.
            ProviderUnavailable: it cannot be reached, or answers nonsense.
        """
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_url,
            "client_id": self._client.client_id,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if self._client.client_secret is not None:
            pair = urlencode({self._client.client_id: self._client.client_secret})
            basic = base64.b64encode(pair.replace("=", ":", 1).encode()).decode()
            headers["authorization"] = f"Basic {basic}"
        url = (await self.metadata()).token
        status, answer = await self._ask("POST", url, urlencode(asked).encode(), headers)
        token = answer.get("id_token")
        if status >= 500:
            raise ProviderUnavailable("统一身份认证暂时无法使用，请稍后重试。")
        if status != 200 or not isinstance(token, str) or len(token) > MAX_TOKEN:
            raise ProviderRefused(REFUSED)
        return token

    async def verify(self, token: str, nonce: str) -> Mapping[str, Any]:
        """The claims of an identity token, every check passed.

        Raises:
            ProviderRefused: signature, algorithm, issuer, audience, time or nonce do not hold.
        """
        try:
            claims = jwt.decode(token, await self._keyset(), algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            try:  # the provider may have changed its keys
                keys = await self._keyset(again=True)
                claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            except (JoseError, ValueError) as error:
                raise ProviderRefused(REFUSED) from error
        self._check(claims, nonce)
        return claims

    def _check(self, claims: Mapping[str, Any], nonce: str) -> None:
        now = self._clock()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        party = claims.get("azp")
        subject = claims.get("sub")
        holds = (
            claims.get("iss") == self._client.issuer,
            self._client.client_id in audiences,
            party == self._client.client_id or (party is None and len(audiences) == 1),
            isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isprintable(),
            _is_time(claims.get("exp")) and claims["exp"] > now - SKEW_S,
            _is_time(claims.get("iat")) and now - OLDEST_S < claims["iat"] < now + SKEW_S,
            claims.get("nbf") is None or (_is_time(claims["nbf"]) and claims["nbf"] < now + SKEW_S),
            hmac.compare_digest(_bytes(claims.get("nonce", "")), nonce.encode()),
        )
        if not all(holds):
            raise ProviderRefused(REFUSED)

    async def metadata(self) -> Metadata:
        """What the provider says of itself, asked again after an hour.

        Raises:
            ProviderUnavailable: it cannot be reached, or says what does not hold.
        """
        if self._metadata and self._clock() - self._metadata[0] < KEPT_S:
            return self._metadata[1]
        url = self._client.issuer.rstrip("/") + "/.well-known/openid-configuration"
        status, told = await self._ask("GET", url)
        if status != 200 or told.get("issuer") != self._client.issuer:
            raise ProviderUnavailable("统一身份认证的配置与 ZHENGWU_OIDC_ISSUER 不符，请核对。")
        found = Metadata(
            authorization=_address(told, "authorization_endpoint"),
            token=_address(told, "token_endpoint"),
            keys=_address(told, "jwks_uri"),
            names_itself=told.get("authorization_response_iss_parameter_supported") is True,
        )
        self._metadata = (self._clock(), found)
        return found

    async def _keyset(self, again: bool = False) -> KeySet:
        kept_s = AGAIN_S if again else KEPT_S
        if self._keys and self._clock() - self._keys[0] < kept_s:
            return self._keys[1]
        status, told = await self._ask("GET", (await self.metadata()).keys)
        given = told.get("keys")
        listed: list[Any] = given if isinstance(given, list) else []
        usable = [
            key
            for key in listed[:100]
            if isinstance(key, dict)
            and key.get("kty") in KEY_KINDS  # a shared secret would let anyone sign
            and key.get("use", "sig") == "sig"
        ]
        try:
            keys = KeySet.import_key_set({"keys": usable})
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise ProviderUnavailable("统一身份认证的公钥无法识别，请稍后重试。") from error
        if status != 200 or not usable:
            raise ProviderUnavailable("统一身份认证没有可用的公钥，请稍后重试。")
        self._keys = (self._clock(), keys)
        return keys

    async def _ask(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, Any]]:
        opened = (
            self._outbound.get(url)
            if method == "GET"
            else self._outbound.post(url, body, {"accept": "application/json", **(headers or {})})
        )
        try:
            async with opened as answer:
                read = bytearray()
                async for block in answer.content.iter_any():
                    read += block
                    if len(read) > MAX_BYTES:
                        raise ProviderUnavailable("统一身份认证的答复过大，已中止。")
                told = orjson.loads(bytes(read))
        except (OutboundError, orjson.JSONDecodeError) as error:
            raise ProviderUnavailable("统一身份认证暂时无法使用，请稍后重试。") from error
        return answer.status, told if isinstance(told, dict) else {}


def _address(told: Mapping[str, Any], name: str) -> str:
    """An address that the provider names: https, or the loopback."""
    given = told.get(name)
    try:
        url = URL(given if isinstance(given, str) else "")
    except ValueError:
        url = URL()
    if url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK):
        raise ProviderUnavailable(f"统一身份认证的 {name} 不是 https 地址，请核对其配置。")
    return str(url)


def _bytes(value: object) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
