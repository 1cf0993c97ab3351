"""Puts the governed path on two doubles, for `zhengwu eval leaks`. Wiring only.

Both listen on the loopback: the pool's port is on the address list, the outside's is not.
"""

import ipaddress
import ssl
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from zhengwu.db.home import open_engine
from zhengwu.errors import ZhengwuError
from zhengwu.eval.leaks.cases import FAULTS, ORDERS, LeakCase
from zhengwu.eval.leaks.double import Double, running
from zhengwu.gateway.audit.journal import Journal
from zhengwu.gateway.audit.trail import JournalTrail
from zhengwu.gateway.errors import SessionsDown, TooManyRequests
from zhengwu.gateway.governed.asked import Asked
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.grade import Grading
from zhengwu.gateway.governed.path import Governed, GovernedParts
from zhengwu.gateway.governed.ports import Ask, Limits, Reservation
from zhengwu.gateway.governed.sessions import Sessions
from zhengwu.gateway.governed.sessions_in_database import DatabaseSessions
from zhengwu.gateway.limits.open import open_limits
from zhengwu.gateway.metrics import Metrics
from zhengwu.gateway.served import Served, ServedModel
from zhengwu.models.assemble import assemble
from zhengwu.models.egress import Egress
from zhengwu.models.route import Route, Waits
from zhengwu.models.upstream import Upstream
from zhengwu.pii.detect import Finding
from zhengwu.settings import read_settings

PATIENT = Waits(connect_s=None)
"""A busy machine is no fault that was asked for."""
TOLD = {
    "pool_reset": "reset",
    "pool_500": "500",
    "pool_503": "503",
    "pool_cut": "cut",
    "pool_empty": "empty",
    "pool_redirects": "redirects",
}
"""What the pool's double is told to do, as the upstream's name for the model."""


@dataclass(frozen=True)
class Ground:
    """Sends cases along the governed path, each along the one that has its fault."""

    paths: Mapping[str, Governed]

    async def send(self, case: LeakCase) -> str:
        """Send one case and read its answer to the end."""
        governed = self.paths.get(case.fault, self.paths["none"])
        body = orjson.dumps({**case.body, "model": f"{case.order}.{case.fault}".replace("_", "-")})
        caller = Caller("leaks", "泄漏测试", ("city",), pseudonymise=case.pseudonymise)
        asked = Asked(caller, "chat/completions", body, case.marker, declared=case.declared,
                      session=case.session, headers={"x-request-id": case.marker})  # fmt: skip
        try:
            async with governed.open(asked) as answer:
                async for _ in answer.chunks():
                    pass
        except ZhengwuError as error:
            return error.code
        return "ok"


@asynccontextmanager
async def ground() -> AsyncGenerator[tuple[Ground, Double]]:
    """The governed path over both doubles, and the outside's."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = read_settings(home=folder)
        engine = await stack.enter_async_context(open_engine(settings))
        limits = await stack.enter_async_context(open_limits(settings, engine))
        server, client = _certified(folder)
        pool = await stack.enter_async_context(running("pool"))
        outside = await stack.enter_async_context(running("outside", server))
        listed = [f"127.0.0.1:{pool.port}", "127.0.0.1:9"]
        egress = await stack.enter_async_context(Egress(listed, trust=client))
        served = _served(pool.port, outside.port)
        sessions = DatabaseSessions(engine)
        trail = JournalTrail(Journal(settings.audit_dir / "journals"))

        def path(grading: Grading, holds: Limits = limits) -> Governed:
            routes = assemble(served.routes(), egress, served.loads).routes
            return Governed(GovernedParts(served, grading, holds, trail, routes, Metrics()))

        yield (
            Ground(
                {
                    "none": path(Grading(sessions)),
                    "detector_slow": path(Grading(sessions, _slow, timeout_s=0.001)),
                    "detector_fails": path(Grading(sessions, _fails)),
                    "sessions_down": path(Grading(_NoSessions())),
                    "limits_down": path(Grading(sessions), _NoLimits()),
                }
            ),
            outside,
        )


def _served(pool: int, outside: int) -> Served:
    """A route for each order and fault."""
    models: list[ServedModel] = []
    for fault in FAULTS:
        at = 9 if fault == "pool_down" else pool
        near = Upstream(f"pool-{fault}", f"http://127.0.0.1:{at}/v1", TOLD.get(fault, "m"))
        told = "500" if fault == "outside_500" else "m"
        far = Upstream(f"closed-{fault}", f"https://127.0.0.1:{outside}/v1", told, grade_allowed=3)
        alone = f"closed.{fault}".replace("_", "-")
        made = {
            "outside_first": Route((far, near), waits=PATIENT),
            "pool_first": Route((near, far), waits=PATIENT),
            "fallback": Route((near,), waits=PATIENT, fallbacks=(alone,)),
        }
        named = {f"{order}.{fault}".replace("_", "-"): made[order] for order in ORDERS}
        models += [
            _model(name, route)
            for name, route in {**named, alone: Route((far,), waits=PATIENT)}.items()
        ]
    return Served(models)


def _model(name: str, route: Route) -> ServedModel:
    return ServedModel(name, "chat", "leaks", route)


def _slow(text: str) -> Sequence[Finding]:
    time.sleep(0.002)
    return ()


def _fails(text: str) -> Sequence[Finding]:
    raise RuntimeError("the detector is broken")


class _NoSessions(Sessions):
    async def grade(self, keys: Sequence[str]) -> int:
        raise SessionsDown("会话分级记录无法读取")

    async def carry(self, keys: Sequence[str], grade: int) -> None:
        raise SessionsDown("会话分级记录无法写入")


class _NoLimits(Limits):
    async def reserve(self, caller: Caller, ask: Ask) -> Reservation:
        raise TooManyRequests("限额服务不可用", 1)


def _certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate for 127.0.0.1, as the server has it and as the client believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, secret)
    return server, ssl.create_default_context(cafile=str(pem))
