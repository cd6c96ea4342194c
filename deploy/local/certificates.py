"""An authority of this installation and a certificate under it for the loopback, for who wants TLS there, too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy.local.home import Home
from deploy.local.ports import LOOPBACK

LASTS = timedelta(days=3650)


@dataclass(frozen=True)
class Certificates:
    """PEM files: the authority that clients believe, and the server's certificate and key."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def of(cls, home: Home) -> Certificates:
        """Those of this installation, made once. The authority's own key is not kept: it signs nothing else."""
        found = cls(*(home.root / "certificates" / name for name in ("authority.pem", "server.pem", "server.key")))
        if not found.key.exists():
            authority, issuer = _authority(), ec.generate_private_key(ec.SECP256R1())
            root = _sign(authority, authority, issuer.public_key(), issuer, authority=True)
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
            leaf = _sign(name, authority, key.public_key(), issuer, authority=False)
            home.write("certificates/authority.pem", root.public_bytes(Encoding.PEM).decode())
            home.write("certificates/server.pem", leaf.public_bytes(Encoding.PEM).decode())
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            home.write("certificates/server.key", pem.decode())  # last: it says that all are there
        return found


def _authority() -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Guildhall, this installation")])


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    by: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC) - timedelta(minutes=5)  # clocks differ
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + LASTS)
    made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    uses = x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = made.add_extension(uses, critical=True)
    if not authority:
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address(LOOPBACK))]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(by, hashes.SHA256())
