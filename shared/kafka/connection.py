"""How every client of ours reaches the broker and says who it is."""

from __future__ import annotations

import ssl
from typing import Any

from shared.settings import Settings


def connection(settings: Settings) -> dict[str, Any]:
    """What aiokafka's clients are made with: addresses, TLS, and the name and password to sign in with."""
    given: dict[str, Any] = {
        "bootstrap_servers": settings.kafka,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        given["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ssl_ca_location or None)
    if settings.kafka_security_protocol.startswith("SASL"):
        given |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    return given
