"""How a broker asks who one is: SCRAM for its clients, a password for its own controller, rights for everybody."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
from collections.abc import Iterator, Mapping

from deploy.local.certificates import Certificates
from deploy.local.ports import LOOPBACK

MECHANISM = "SCRAM-SHA-512"
CONTROLLER = "controller"
_LOGIN = "org.apache.kafka.common.security"


def protocol(tls: Certificates | None) -> str:
    return "SASL_PLAINTEXT" if tls is None else "SASL_SSL"


def broker(admin: str, password: str, controller_password: str, tls: Certificates | None) -> dict[str, str]:
    """The broker's settings. `admin` is the broker itself, and may do everything.

    The controller is asked before there are users, so it has a password of its own (PLAIN), which never leaves this
    machine; without one whoever reached its port could make themselves a user.
    """
    plain = f'{_LOGIN}.plain.PlainLoginModule required username="{CONTROLLER}" password="{controller_password}"'
    settings = {
        "listener.security.protocol.map": f"CLIENTS:{protocol(tls)},CONTROLLER:{protocol(tls)}",
        "listener.name.clients.sasl.enabled.mechanisms": MECHANISM,
        "sasl.mechanism.inter.broker.protocol": MECHANISM,
        f"listener.name.clients.{MECHANISM.lower()}.sasl.jaas.config": (
            f'{_LOGIN}.scram.ScramLoginModule required username="{admin}" password="{password}";'
        ),
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": f'{plain} user_{CONTROLLER}="{controller_password}";',
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{admin};User:{CONTROLLER}",
        "allow.everyone.if.no.acl.found": "false",
    }
    if tls is not None:
        settings |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": _line(tls.certificate.read_text()),
            "ssl.keystore.key": _line(tls.key.read_text()),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.certificates": _line(tls.authority.read_text()),
        }
    return settings


def _line(pem: str) -> str:
    """A file's text as one value of a properties file."""
    return pem.replace("\n", "\\n")


def fingerprint(users: Mapping[str, str]) -> str:
    """Of users and passwords; empty where there are none."""
    lines = [f"{user}:{password}" for user, password in sorted(users.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""


def quoted(argument: str) -> str:
    """As a file of Java's arguments takes it."""
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@contextlib.contextmanager
def reached(port: int, tls: Certificates | None) -> Iterator[socket.socket]:
    """A connection to the broker before one signs in."""
    with socket.create_connection((LOOPBACK, port), 0.5) as connection:
        if tls is None:
            yield connection
            return
        context = ssl.create_default_context(cafile=str(tls.authority))
        with context.wrap_socket(connection, server_hostname=LOOPBACK) as wrapped:
            yield wrapped
