"""Ways into a NATS server: what the server is configured with, and what clients show.

Every key, certificate and token is made when it is asked for, and opens nothing else.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from perdure.worker import NatsOptions

__all__ = ["ACCESSES", "Access", "token"]

VARIABLES = {
    "token": "PERDURE_NATS_TOKEN",
    "credentials_file": "PERDURE_NATS_CREDS",
    "nkey_seed_file": "PERDURE_NATS_NKEY_SEED_FILE",
    "authority_file": "PERDURE_NATS_CA",
}


@dataclass(frozen=True)
class Access:
    """One way in: lines of the server's configuration, and clients that are let in and kept out."""

    configuration: str
    shown: Mapping[str, Any]
    """What a client shows that is let in: fields of `NatsOptions`."""
    refused: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """What clients show that are not, by what is wrong with it."""


def options(url: str, shown: Mapping[str, Any]) -> NatsOptions:
    """How an engine shows it."""
    return NatsOptions(url=url, **shown)


def environment(url: str, shown: Mapping[str, Any]) -> dict[str, str]:
    """How a worker is told to show it."""
    variables = {"PERDURE_NATS_URL": url}
    for name, value in shown.items():
        if name == "user":
            variables["PERDURE_NATS_USER"], variables["PERDURE_NATS_PASSWORD"] = value
        elif name == "certificate_files":
            certificate, key = value
            variables["PERDURE_NATS_CERT"] = str(certificate)
            variables["PERDURE_NATS_KEY"] = str(key)
        else:
            variables[VARIABLES[name]] = str(value)
    return variables


def token(_directory: Path) -> Access:
    """A token."""
    right = secrets.token_urlsafe(12)
    return Access(
        f'authorization {{ token: "{right}" }}',
        {"token": right},
        {"another": {"token": "wrong"}, "none": {}},
    )


def user(_directory: Path) -> Access:
    """A user and a password."""
    right = secrets.token_urlsafe(12)
    return Access(
        f'authorization {{ users: [{{ user: "ada", password: "{right}" }}] }}',
        {"user": ("ada", right)},
        {"another": {"user": ("ada", "wrong")}, "none": {}},
    )


class Nkey:
    """A key pair of the NATS server, in its own spelling."""

    def __init__(self, prefix: int) -> None:
        self._prefix = prefix
        self._key = Ed25519PrivateKey.generate()
        self.public = _spelled(bytes([prefix]) + self._key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        """The secret half."""
        kind = bytes([18 << 3 | self._prefix >> 5, (self._prefix & 31) << 3])
        return _spelled(kind + self._key.private_bytes_raw())

    def token(self, subject: Nkey, kind: str, **claims: Any) -> str:
        """A signed word on another key."""
        claimed = {
            "jti": secrets.token_hex(16),
            "iat": 1_600_000_000,
            "iss": self.public,
            "name": kind,
            "sub": subject.public,
            "nats": {"type": kind, "version": 2, **claims},
        }
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        signed = ".".join(_base64(json.dumps(each).encode()) for each in (head, claimed))
        return f"{signed}.{_base64(self._key.sign(signed.encode()))}"


OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3


def _spelled(data: bytes) -> str:
    checked = data + binascii.crc_hqx(data, 0).to_bytes(2, "little")
    return base64.b32encode(checked).decode().rstrip("=")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def nkey(directory: Path) -> Access:
    """A key that signs the server's nonce."""
    right, wrong = Nkey(USER), Nkey(USER)
    return Access(
        f'authorization {{ users: [{{ nkey: "{right.public}" }}] }}',
        {"nkey_seed_file": _written(directory / "user.nk", right.seed + "\n")},
        {"another": {"nkey_seed_file": _written(directory / "wrong.nk", wrong.seed)}, "none": {}},
    )


def credentials(directory: Path) -> Access:
    """A user's token, signed by an account, which is signed by the operator."""
    operator, account, stranger = Nkey(OPERATOR), Nkey(ACCOUNT), Nkey(ACCOUNT)
    limits = {"subs": -1, "data": -1, "payload": -1}
    account_limits = {**limits, "imports": -1, "exports": -1, "wildcards": True, "conn": -1}
    account_token = operator.token(account, "account", limits={**account_limits, "leaf": -1})

    def file(name: str, issuer: Nkey) -> Path:
        user = Nkey(USER)
        word = issuer.token(user, "user", **limits)
        return _written(
            directory / name,
            f"-----BEGIN NATS USER JWT-----\n{word}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n",
        )

    return Access(
        f"operator: {operator.token(operator, 'operator')}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {account.public}: {account_token} }}",
        {"credentials_file": file("user.creds", account)},
        {"another": {"credentials_file": file("wrong.creds", stranger)}, "none": {}},
    )


class Authority:
    """A certificate authority, with what it has signed in files."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(self._name, self._key, authority=True)
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def identity(self, name: str) -> tuple[Path, Path]:
        """A certificate's file and its key's file."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        files = self._directory / f"{name}.pem", self._directory / f"{name}-key.pem"
        signed = self._signed(subject, key, authority=False)
        files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _tls(directory: Path, extra: str) -> tuple[Authority, Authority, str]:
    authority, stranger = Authority(directory, "authority"), Authority(directory, "stranger")
    certificate, key = authority.identity("server")
    lines = f'cert_file: "{certificate}", key_file: "{key}", ca_file: "{authority.file}"'
    return authority, stranger, f"tls {{ {lines}, {extra} }}"


def server_certificate(directory: Path) -> Access:
    """TLS: the server shows a certificate, and clients a token."""
    authority, stranger, configuration = _tls(directory, "timeout: 5")
    known = token(directory)
    return Access(
        f"{configuration}\n{known.configuration}",
        {"authority_file": authority.file, **known.shown},
        {
            "another": {"authority_file": stranger.file, **known.shown},
            "none": {**known.shown},
            "no_token": {"authority_file": authority.file},
        },
    )


def client_certificate(directory: Path) -> Access:
    """Mutual TLS: both show a certificate."""
    authority, stranger, configuration = _tls(directory, "verify: true, timeout: 5")
    shown = {"authority_file": authority.file}
    return Access(
        configuration,
        {**shown, "certificate_files": authority.identity("client")},
        {
            "another": {**shown, "certificate_files": stranger.identity("another")},
            "none": {**shown},
        },
    )


ACCESSES: dict[str, Callable[[Path], Access]] = {
    "token": token,
    "user": user,
    "nkey": nkey,
    "credentials": credentials,
    "tls": server_certificate,
    "mutual_tls": client_certificate,
}
"""Every way in, by name; each makes its files in a directory."""
