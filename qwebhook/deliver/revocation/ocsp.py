"""Asking an authority's responder about a certificate: OCSP (RFC 6960)."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from qwebhook.deliver.revocation.verdict import Good, Revoked, Untold, holds_until, revoked

MEDIA_TYPE = "application/ocsp-request"
# Certificates of an answer that are looked at; a responder sends its own, and perhaps those above it.
DELEGATES = 4
# With these a signature proves nothing.
WEAK = (hashes.MD5, hashes.SHA1)


def responders(certificate: x509.Certificate) -> list[str]:
    """The URLs that a certificate names for OCSP."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    return [
        one.access_location.value
        for one in access
        if one.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(one.access_location, x509.UniformResourceIdentifier)
    ]


def question(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """What a responder is asked. SHA-1 only names the certificate here, and many responders know no other."""
    return _request(certificate, issuer, hashes.SHA1()).public_bytes(Encoding.DER)  # noqa: S303


def read_answer(data: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: float) -> Good | Revoked:
    """What a responder's answer says of a certificate. now: seconds since the epoch.

    Raises Untold, and what cryptography raises for an answer that it cannot read.
    """
    answer = ocsp.load_der_ocsp_response(data)
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise Untold(f"the responder says {answer.response_status.name.replace('_', ' ').lower()}")
    if not _is_signed(answer, issuer, datetime.fromtimestamp(now, UTC)):
        raise Untold("the answer is signed neither by the authority nor by one whom it has named for that")
    if any(extension.critical for extension in answer.extensions):
        raise Untold("the answer has a critical extension that is not known")
    single = next((one for one in answer.responses if _is_about(one, certificate, issuer)), None)
    if single is None:
        raise Untold("the answer is for another certificate")
    until = holds_until(single.this_update_utc, single.next_update_utc, now)
    if single.certificate_status is ocsp.OCSPCertStatus.GOOD:
        return Good(until)
    if single.certificate_status is not ocsp.OCSPCertStatus.REVOKED or single.revocation_time_utc is None:
        raise Untold("the responder does not know the certificate")
    reason = single.revocation_reason
    return revoked(single.revocation_time_utc, reason.value if reason is not None else None, until)


def _request(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: hashes.HashAlgorithm
) -> ocsp.OCSPRequest:
    return ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm).build()


def _is_about(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether that is the certificate: the number alone is not, since each authority counts by itself."""
    if single.serial_number != certificate.serial_number:
        return False
    named = _request(certificate, issuer, single.hash_algorithm)
    return (single.issuer_name_hash, single.issuer_key_hash) == (named.issuer_name_hash, named.issuer_key_hash)


def _is_signed(answer: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> bool:
    """Whether the authority has signed, or a responder that it has given a certificate for that purpose.

    Whether that certificate has been revoked in turn is not asked: they are short-lived, and most say not to
    (`id-pkix-ocsp-nocheck`).
    """
    if _has_signed(issuer, answer):
        return True
    return any(_is_delegate(one, issuer, now) and _has_signed(one, answer) for one in answer.certificates[:DELEGATES])


def _has_signed(signer: x509.Certificate, answer: ocsp.OCSPResponse) -> bool:
    key, algorithm = signer.public_key(), answer.signature_hash_algorithm
    try:
        if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(answer.signature, answer.tbs_response_bytes)
        elif algorithm is None or isinstance(algorithm, WEAK):
            return False
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _is_delegate(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    """Whether the authority lets the holder of a certificate answer for it (RFC 6960, section 4.2.2.2)."""
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return False
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.OCSP_SIGNING not in uses or isinstance(certificate.signature_hash_algorithm, WEAK):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return True
