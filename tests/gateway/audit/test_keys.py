"""Signatures as other tools read them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.needs import need

from zhengwu.gateway.audit.digest import sm3
from zhengwu.gateway.audit.errors import SigningKeyWrong
from zhengwu.gateway.audit.keys import open_key, pem, read_pem


def test_sm3_is_the_standard_s() -> None:
    """GB/T 32905-2016, A.1."""
    assert sm3(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_openssl_verifies_what_we_sign(tmp_path: Path) -> None:
    need(shutil.which("openssl") is not None, "the openssl command")
    key = open_key(tmp_path)
    (tmp_path / "key.pem").write_text(pem(key.public))
    (tmp_path / "message").write_bytes("链尾".encode())
    (tmp_path / "signature").write_bytes(bytes.fromhex(key.sign("链尾".encode())))
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -in message -sigfile signature"
    command += " -rawin -digest sm3 -pkeyopt distid:1234567812345678"
    told = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert told.returncode == 0, told.stderr


def test_a_file_that_is_no_key_is_refused() -> None:
    with pytest.raises(SigningKeyWrong, match="zhengwu audit key"):
        read_pem("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n")
