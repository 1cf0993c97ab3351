"""The SM2 key that signs the chain (GB/T 32918, signer id 1234567812345678). Knows no chain.

From `ZHENGWU_AUDIT_KEY`, or from a file made at the first start with mode 0600. Beside it
`trusted.pub` lists every public key whose signatures count.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gmssl_pyx

from zhengwu.gateway.audit.digest import sm3
from zhengwu.gateway.audit.errors import SigningKeyWrong

KEY_FILE = "signing.key"
TRUSTED_FILE = "trusted.pub"
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
"""The DER head of an SM2 SubjectPublicKeyInfo before the point's 64 bytes (RFC 5480)."""
_SIGNER = b"1234567812345678"
_CURVE = bytes.fromhex(
    "FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC"
    "28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93"
    "32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7"
    "BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0"
)
"""a, b and the base point of the curve (GB/T 32918.5-2017)."""


@dataclass(frozen=True)
class SigningKey:
    """A key pair. `public` is the point's 64 bytes."""

    private: bytes
    public: bytes

    @property
    def id(self) -> str:
        """The name of the key: the start of its public half's digest."""
        return key_id(self.public)

    def sign(self, message: bytes) -> str:
        """The signature of `message` (DER), in hexadecimal digits."""
        return gmssl_pyx.sm2_sign_sm3_digest(self.private, _digest(self.public, message)).hex()


@dataclass(frozen=True)
class Trusted:
    """The public keys whose signatures count, by id."""

    keys: Mapping[str, bytes]

    def verifies(self, key: str, message: bytes, signature: str) -> bool:
        """Whether `signature` is that of `message` by the trusted key named `key`."""
        public = self.keys.get(key)
        if public is None:
            return False
        try:
            digest = _digest(public, message)
            return gmssl_pyx.sm2_verify_sm3_digest(public, digest, bytes.fromhex(signature))
        except (ValueError, gmssl_pyx.GmsslInnerError):
            return False


def _digest(public: bytes, message: bytes) -> bytes:
    """What is signed: SM3 of the signer's Z and the message (GB/T 32918.2-2016, 5.5 and 6.1).

    The library's own `sm2_sign` does the same, but prepares for many signatures each time.
    """
    length = (len(_SIGNER) * 8).to_bytes(2, "big")
    signer = bytes.fromhex(sm3(length + _SIGNER + _CURVE + public))
    return bytes.fromhex(sm3(signer + message))


def key_id(public: bytes) -> str:
    """The name of a public key."""
    return sm3(public)[:16]


def pem(public: bytes) -> str:
    """The public key as other tools read it (`openssl pkeyutl -verify`)."""
    lines = base64.encodebytes(_SPKI + public).decode().replace("\n", "")
    cut = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{cut}\n-----END PUBLIC KEY-----\n"


def read_pem(text: str) -> bytes:
    """The 64 bytes of an SM2 public key.

    Raises:
        SigningKeyWrong: it is none.
    """
    inner = "".join(line for line in text.splitlines() if not line.startswith("-----"))
    try:
        der = base64.b64decode(inner, validate=True)
        if not der.startswith(_SPKI):
            raise ValueError("not an SM2 key")
        return gmssl_pyx.normalize_sm2_public_key(der[len(_SPKI) :])
    except (ValueError, gmssl_pyx.GmsslInnerError) as error:
        raise SigningKeyWrong(
            "公钥文件不是 SM2 公钥（PEM 格式），请用 zhengwu audit key 导出。"
        ) from error


def open_key(folder: Path, given: str | None = None) -> SigningKey:
    """The key given by the environment, else that of `folder`, made if there is none.

    Raises:
        SigningKeyWrong: what is given or stored is no SM2 key pair.
    """
    key = _parse(given, "ZHENGWU_AUDIT_KEY") if given else _stored(folder)
    trust(folder, key.public)
    return key


def trust(folder: Path, public: bytes) -> None:
    """Add a public key to the trusted ones."""
    if key_id(public) in trusted(folder).keys:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / TRUSTED_FILE).open("a", encoding="utf-8") as file:
        file.write(public.hex() + "\n")


def trusted(folder: Path) -> Trusted:
    """The trusted keys of a folder."""
    path = folder / TRUSTED_FILE
    lines = path.read_text("utf-8").split() if path.exists() else []
    try:
        points = [gmssl_pyx.normalize_sm2_public_key(bytes.fromhex(line)) for line in lines]
    except (ValueError, gmssl_pyx.GmsslInnerError) as error:
        raise SigningKeyWrong(f"{path} 中有无法识别的公钥，请删去该行。") from error
    return Trusted({key_id(point): point for point in points})


def _stored(folder: Path) -> SigningKey:
    path = folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        public, private = gmssl_pyx.sm2_key_generate()
        fresh = folder / f".{KEY_FILE}.{os.getpid()}"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write((private + public).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # fails if another process was first: then its key counts
        except FileExistsError:
            pass
        fresh.unlink()
    return _parse(path.read_text("utf-8"), str(path))


def _parse(text: str, where: str) -> SigningKey:
    try:
        data = bytes.fromhex(text.strip())
        key = SigningKey(data[:32], gmssl_pyx.normalize_sm2_public_key(data[32:]))
        if Trusted({key.id: key.public}).verifies(key.id, b"?", key.sign(b"?")):
            return key
    except (ValueError, gmssl_pyx.GmsslInnerError) as error:
        raise _wrong(where) from error
    raise _wrong(where)


def _wrong(where: str) -> SigningKeyWrong:
    return SigningKeyWrong(
        f"{where} 不是 SM2 密钥对（应为 192 位十六进制：私钥 32 字节加公钥 64 字节）。"
        "请恢复备份的密钥，或用 zhengwu audit key --new 新建。"
    )
