"""Looking a certificate up in its authority's list of those that were revoked: CRLs (RFC 5280, section 6.3).

Lists that are whole and of the authority's own only: none of changes (delta), and none in another's name (indirect).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from cryptography import x509

from qwebhook.deliver.revocation.ocsp import WEAK
from qwebhook.deliver.revocation.verdict import Good, Revoked, Untold, holds_until, revoked


class VerifiedList(msgspec.Struct, frozen=True):
    """A list that the authority has signed, and that holds until then (seconds since the epoch)."""

    entries: x509.CertificateRevocationList
    until: float


def points(certificate: x509.Certificate) -> Iterator[tuple[str, x509.DistributionPoint]]:
    """The URLs of the lists that a certificate would be in, each with the point of distribution that it is from."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return
    for point in found:
        if point.reasons is None and point.crl_issuer is None:
            for name in point.full_name or ():
                if isinstance(name, x509.UniformResourceIdentifier):
                    yield name.value, point


def read_list(data: bytes, issuer: x509.Certificate, now: float) -> VerifiedList:
    """The list, if it is the issuer's and holds now (seconds since the epoch).

    Raises Untold, and what cryptography raises for one that it cannot read.
    """
    entries = x509.load_der_x509_crl(data)
    if entries.issuer != issuer.subject:
        raise Untold("the list is of another authority")
    if not _may_sign(issuer) or isinstance(entries.signature_hash_algorithm, WEAK):
        raise Untold("the list is not signed in a way that counts")
    if not entries.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
        raise Untold("the list is not signed by the authority")
    for extension in entries.extensions:
        if extension.critical and not isinstance(extension.value, x509.IssuingDistributionPoint):
            raise Untold("the list has a critical extension that is not known")
    return VerifiedList(entries, holds_until(entries.last_update_utc, entries.next_update_utc, now))


def look_up(certificate: x509.Certificate, point: x509.DistributionPoint, within: VerifiedList) -> Good | Revoked:
    """What a list says of a certificate that is its issuer's. Raises Untold if the list is one of others."""
    _check_scope(certificate, point, within.entries)
    entry = within.entries.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is None:
        return Good(within.until)
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except x509.ExtensionNotFound:
        reason = None
    return revoked(entry.revocation_date_utc, reason, within.until)


def _may_sign(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _check_scope(
    certificate: x509.Certificate, point: x509.DistributionPoint, entries: x509.CertificateRevocationList
) -> None:
    """Refuse a list that the certificate would not be in if it were revoked: an authority may split its list."""
    try:
        scope = entries.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return
    if scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs or scope.relative_name:
        raise Untold("the list is not a whole one of the authority's own certificates")
    if scope.full_name is not None and not set(scope.full_name) & set(point.full_name or ()):
        raise Untold("the list is for certificates that name another one")
    if scope.only_contains_ca_certs if not _is_authority(certificate) else scope.only_contains_user_certs:
        raise Untold("the list is for certificates of another kind")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
