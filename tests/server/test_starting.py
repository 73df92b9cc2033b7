"""What keeps a server from starting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from qwebhook.model.errors import InvalidInput
from qwebhook.server.lifecycle import _listen
from tests.acceptance.test_failing import certificate


@pytest.mark.parametrize("host", ["a..b", "\xe9" * 70], ids=["an empty label", "a long one"])
def test_what_is_no_name_of_a_host(host: str) -> None:
    with pytest.raises(InvalidInput, match="is no name of a host"):
        _listen(host, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no session to begin")
def test_nobody_is_asked_for_the_password_of_a_key(tmp_path: Path) -> None:
    certificate(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    (tmp_path / "key.pem").write_bytes(key)
    options = ["serve", "--port", "0", "--store", "a.db", "--tls-cert", "server.pem", "--tls-key", "key.pem"]
    command = [sys.executable, "-m", "qwebhook", *options]
    pipe = subprocess.PIPE
    # With a terminal or without, OpenSSL would wait for a line: here of an input that has none and does not end.
    with subprocess.Popen(command, stdin=pipe, stderr=pipe, cwd=tmp_path, start_new_session=True) as process:
        assert process.stderr is not None
        try:
            assert process.wait(30) == 2
        finally:
            process.kill()
        assert b"without a password" in process.stderr.read()
