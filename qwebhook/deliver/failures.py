"""What a failed exchange is called: a kind that programs can tell apart, and words that a person understands."""

from __future__ import annotations

import os
import socket
import ssl

import aiohttp
from httptools import HttpParserError

from qwebhook.deliver.revocation.verdict import NotVouchedFor
from qwebhook.deliver.vetting import AddressRefused
from qwebhook.model.delivery import FailureKind


def classified(error: Exception, connect_seconds: float) -> tuple[FailureKind, str]:
    """Which kind of failure an exception is, and why in plain words."""
    cause: BaseException = error
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            refused = _refusal(error)
            return ("address refused", refused) if refused else ("dns", _words(cause))
    refused = _refusal(error)
    if refused:
        return "address refused", refused
    if isinstance(error, NotVouchedFor):
        return "tls", str(error)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "tls", f"the certificate was not accepted: {_words(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        return "tls", _words(cause)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "connect", f"no connection within {connect_seconds:g} s"
    if isinstance(error, TimeoutError):
        return "timeout", ""
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(cause, ConnectionResetError):  # there was a connection, of which only the handshake is part
            return "tls", "the connection was closed during the handshake"
        return "connect", _words(cause)
    if isinstance(error, ValueError):
        return "invalid", f"the request cannot be made: {error}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "protocol", "the connection was closed before an answer"
    if isinstance(error, OSError):
        return "connect", _words(error)
    if isinstance(error, HttpParserError):
        return "protocol", f"the answer is not HTTP: {_words(error)}"
    return "protocol", _words(error)


def _refusal(error: BaseException) -> str:
    """The refusal among an exception and its causes; "" if there is none."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, AddressRefused):
            return str(current)
        current = getattr(current, "os_error", None) or current.__cause__ or current.__context__
    return ""


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message or str(error)
    if isinstance(error, ssl.SSLError):  # its errno is one of OpenSSL's
        return (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return str(error.strerror).lower()
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error).splitlines()[0] if str(error) else type(error).__name__
