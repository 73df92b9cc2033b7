"""Authorities that revoke: a root, an authority below it, and a server's certificate, with answers about each.

Where they are asked about is a `Receiver`'s: `/ocsp` and `/crl` for the server's certificate, `/ocsp-authority` and
`/crl-authority` for the one above.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
REVOKED_ON = datetime(2026, 1, 2, 12, tzinfo=UTC)
PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def holder(
    name: str,
    issuer: Holder | None,
    extensions: Iterable[x509.ExtensionType] = (),
    *,
    authority: bool = False,
    expired: bool = False,
) -> Holder:
    """A holder of a certificate from the issuer, or from itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer is not None else key
    end = datetime.now(UTC) + (-DAY if expired else DAY)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 9 * DAY)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if authority:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Holder(builder.sign(signer, hashes.SHA256()), key)


def asked_at(*responders: str) -> x509.AuthorityInformationAccess:
    """Says where the responders are."""
    method = AuthorityInformationAccessOID.OCSP
    names = [x509.UniformResourceIdentifier(url) for url in responders]
    return x509.AuthorityInformationAccess([x509.AccessDescription(method, name) for name in names])


def listed_at(*urls: str) -> x509.CRLDistributionPoints:
    """Says where the lists are."""
    names = [[x509.UniformResourceIdentifier(url)] for url in urls]
    return x509.CRLDistributionPoints([x509.DistributionPoint(name, None, None, None) for name in names])


def scope(*urls: str, **settings: bool) -> x509.IssuingDistributionPoint:
    """Says which certificates a list is for."""
    given = dict.fromkeys(
        ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs"), False
    )
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(url) for url in urls] or None,
        relative_name=None,
        only_some_reasons=None,
        **(given | settings),
    )


class Authorities:
    """base: the URL of the receiver that answers. ways: those that the server's certificate names.

    The authority's certificate names a list.
    """

    def __init__(self, folder: Path, base: str, ways: Sequence[str] = ("ocsp",)) -> None:
        self._folder = folder
        self.base = base
        self.root = holder("Root", None, authority=True)
        self.authority = holder("Authority", self.root, [listed_at(f"{base}/crl-authority")], authority=True)
        self.other = holder("Authority", self.root, authority=True)
        self.server = self.issued(ways)
        self.file = folder / "root.pem"
        self.file.write_bytes(self.root.certificate.public_bytes(PEM))

    def issued(self, ways: Sequence[str]) -> Holder:
        """A server's certificate that names those ways: `ocsp`, `crl`, or whole URLs of responders."""
        extensions: list[x509.ExtensionType] = [x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])]
        responders = [f"{self.base}/ocsp" if way == "ocsp" else way for way in ways if way != "crl"]
        if responders:
            extensions.append(asked_at(*responders))
        if "crl" in ways:
            extensions.append(listed_at(f"{self.base}/crl"))
        return holder("A server", self.authority, extensions)

    def serving(self) -> ssl.SSLContext:
        """For a server that has the certificate."""
        pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        certificates = (self.server.certificate, self.authority.certificate)
        file = self._folder / "server.pem"
        file.write_bytes(
            self.server.key.private_bytes(PEM, pkcs8, plain) + b"".join(one.public_bytes(PEM) for one in certificates)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def ocsp(
        self,
        status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
        *,
        about: Holder | None = None,
        issuer: Holder | None = None,
        signer: Holder | None = None,
        made: datetime | None = None,
        end: datetime | None = None,
        algorithm: hashes.HashAlgorithm = hashes.SHA1(),  # noqa: B008
    ) -> bytes:
        """An answer about a certificate: by default, about the server's. signer: its certificate goes along."""
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        issuer = issuer or self.authority
        signing = signer or issuer
        made = made or datetime.now(UTC) - HOUR
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=(about or self.server).certificate,
                issuer=issuer.certificate,
                algorithm=algorithm,
                cert_status=status,
                this_update=made,
                next_update=end or made + DAY,
                revocation_time=REVOKED_ON if revoked else None,
                revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, signing.certificate)
        )
        if signer is not None:
            builder = builder.certificates([signer.certificate])
        answer = builder.sign(signing.key, hashes.SHA256())
        return answer.public_bytes(serialization.Encoding.DER)

    def responder(self, *, authorised: bool = True, expired: bool = False, issuer: Holder | None = None) -> Holder:
        """One that answers for the authority. authorised: whether its certificate says so."""
        use = ExtendedKeyUsageOID.OCSP_SIGNING if authorised else ExtendedKeyUsageOID.SERVER_AUTH
        return holder("Responder", issuer or self.authority, [x509.ExtendedKeyUsage([use])], expired=expired)

    def crl(
        self,
        *revoked: Holder,
        issuer: Holder | None = None,
        signer: Holder | None = None,
        made: datetime | None = None,
        scope: x509.ExtensionType | None = None,
        reason: x509.ReasonFlags | None = x509.ReasonFlags.cessation_of_operation,
    ) -> bytes:
        """A list of the revoked: by default, the authority's. scope: goes into it as a critical extension."""
        issuer = issuer or self.authority
        made = made or datetime.now(UTC) - HOUR
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(made)
            .next_update(made + DAY)
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            entry = entry.revocation_date(REVOKED_ON)
            if reason is not None:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        if scope is not None:
            builder = builder.add_extension(scope, critical=True)
        made_list = builder.sign((signer or issuer).key, hashes.SHA256())
        return made_list.public_bytes(serialization.Encoding.DER)
