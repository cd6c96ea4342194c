"""Settings come from the environment, one variable each, `GUILDHALL_` before the name; see docs/settings.md.

Each may be in a file instead, which the variable with `_FILE` behind its name names: secrets stay out of environments.
"""

from __future__ import annotations

import os
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]


class _Files(PydanticBaseSettingsSource):
    """The settings that lie in files."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"GUILDHALL_{field_name.upper()}_FILE")
        return (Path(path).read_text().strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


KNOWN = "development-only-"
"""In every secret that stands in the source or in docker-compose.yml."""


class Settings(BaseSettings):
    """What an installation decides. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="GUILDHALL_", extra="ignore")

    database_url: str = Field(
        "postgresql://guildhall:development-only-password@127.0.0.1:5432/guildhall_{service}",
        description="PostgreSQL of a service; `{service}` stands for its name.",
    )
    kafka: str = Field("127.0.0.1:9092", description="Bootstrap servers of the broker, comma-separated.")
    kafka_security_protocol: SecurityProtocol = Field(
        "PLAINTEXT", description="How the broker is spoken to: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."
    )
    kafka_sasl_mechanism: SaslMechanism = Field(
        "SCRAM-SHA-512", description="How one signs in there: `SCRAM-SHA-256`, `SCRAM-SHA-512` or `PLAIN`."
    )
    kafka_sasl_username: str = Field("", description="The name to sign in with.")
    kafka_sasl_password: SecretStr = Field(SecretStr(""), description="Its password.")
    kafka_ssl_ca_location: str = Field(
        "", description="File of the authorities whose certificates are believed; empty for the system's."
    )
    record_secret: SecretStr = Field(
        SecretStr(""),
        description="Key that signs records on topics; `new,old` while it changes. Empty: none is signed or checked.",
    )
    partitions: int = Field(
        12, ge=1, le=1024, description="Partitions of every log and topic; fixed when a system is made."
    )
    topic_replication: int = Field(1, ge=1, description="Replicas of a topic; 3 outside local runs.")
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the API listens on.")
    public_url: str = Field("http://127.0.0.1:8000", description="The origin callers see, for links and API documents.")
    issuer: str = Field("guildhall-local", description="OIDC issuer whose tokens are accepted.")
    audience: str = Field("guildhall", description="Audience a token must name.")
    jwks: str = Field("", description="Keys of the issuer: a file's path or an address.")
    member_secret: SecretStr = Field(
        SecretStr("development-only-member-secret"),
        min_length=16,
        description="Key of the hash that makes member ids; never change it.",
    )
    cursor_secret: SecretStr = Field(
        SecretStr("development-only-cursor-secret"), min_length=16, description="Key that signs list cursors."
    )
    development: bool = Field(
        False, description="Whether secrets that everybody knows (`development-only-…`) will do; on this machine only."
    )
    database_connections: int = Field(10, ge=2, description="Connections a process may hold besides the log writer's.")
    database_timeout: float = Field(4.0, gt=0, description="A statement that takes longer is given up.")
    lock_timeout: float = Field(2.0, gt=0, description="A lock that takes longer is given up.")
    directory_wait: float = Field(2.0, ge=0, description="How long a service waits for a directory that is behind.")
    clock_bound: float = Field(
        0.1,
        ge=0,
        description="By how much the clocks of two databases may differ: who is refused waits so long. `doctor` looks.",
    )
    permit_age: float = Field(
        600.0, gt=0, description="A directory that is further behind permits nothing: 503 until it has caught up."
    )
    key_age: float = Field(
        600.0, gt=0, description="How long the issuer's keys are believed, also while it does not answer; then 503."
    )
    body_limit: int = Field(1_000_000, ge=1_000, description="Largest request body, except a backfill's.")
    refusal_share: float = Field(
        0.05, gt=0, le=1, description="Share of a process's time for refusing, then those most refused wait; 1: none."
    )
    import_lines: int = Field(
        2_000_000,
        ge=1,
        description="Lines that a caller brings in on a day at most, to each service; repeated ones do not count, nor "
        "operators'.",
    )
    superseded_words_days: float = Field(
        30.0,
        ge=0,
        description="Days that words stay which were replaced or deleted, then they are forgotten; 0: seconds.",
    )
    idempotency_hours: float = Field(
        168.0, gt=0, description="Hours for which a request with an `Idempotency-Key` is answered as the first time."
    )
    idle_keys: int = Field(
        10_000,
        ge=0,
        description="Requests of a caller on a day that changed nothing and are kept under their `Idempotency-Key`, in "
        "each service; beyond it they are carried out and not kept. Operators' always are.",
    )
    foundings: int = Field(20, ge=0, description="Communities that a caller may found on a day; operators any number.")
    joinings: int = Field(
        200, ge=0, description="Times a caller may join or apply on a day, in all communities; operators any number."
    )
    proxies: str = Field(
        "127.0.0.1", description="Addresses whose `X-Forwarded-For` is believed, comma-separated; `*` for all."
    )
    shutdown_grace: float = Field(8.0, gt=0, description="Time open requests get at a stop.")
    otlp_endpoint: str = Field(
        "", description="Where traces are sent (OTLP over HTTP, without `/v1/traces`); empty for none."
    )
    service_urls: str = Field(
        "",
        description="Where services answer: `name=address` with commas, or one with `{service}`; for `doctor`.",
    )
    data_folders: str = Field(
        "", description="Folders of PostgreSQL's and Kafka's data on this machine, comma-separated."
    )
    log_level: str = Field("info", description="debug, info, warning or error.")
    log_format: str = Field("json", description="json, or console for people.")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (named["init_settings"], named["env_settings"], _Files(settings_cls))

    @model_validator(mode="after")
    def _signs_in_with_a_name(self) -> Settings:
        if self.kafka_security_protocol.startswith("SASL") and not self.kafka_sasl_username:
            raise ValueError("kafka_security_protocol asks to sign in, and kafka_sasl_username is empty")
        return self

    @property
    def retention(self) -> timedelta:
        """How long words stay that stand no more."""
        return timedelta(days=self.superseded_words_days)

    @property
    def idempotency_lifetime(self) -> timedelta:
        """How long it is kept what requests with an `Idempotency-Key` came to."""
        return timedelta(hours=self.idempotency_hours)

    @property
    def record_secrets(self) -> list[bytes]:
        """The keys of records; the first signs, each is believed."""
        keys = self.record_secret.get_secret_value().split(",")
        return [key.strip().encode() for key in keys if key.strip()]

    @property
    def known_secrets(self) -> list[str]:
        """The variables whose value stands in the source, for everybody to read."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        plain = ((name, v.get_secret_value() if isinstance(v, SecretStr) else v) for name, v in values)
        return [f"GUILDHALL_{name.upper()}" for name, v in plain if isinstance(v, str) and KNOWN in v]

    @property
    def refusal(self) -> str | None:
        """Why no service may start with these settings, if so."""
        if not (known := self.known_secrets):
            return None
        of = f"{', '.join(known)} {'have the values' if len(known) > 1 else 'has the value'} that everybody knows"
        if not self.development:
            return f"{of}: set secrets of your own, or GUILDHALL_DEVELOPMENT=true for a trial on this machine."
        if not _is_loopback(self.public_url):
            return f"{of}, and GUILDHALL_PUBLIC_URL is not on this machine: set secrets of your own."
        return None

    @property
    def data_folder_list(self) -> list[str]:
        return [folder.strip() for folder in self.data_folders.split(",") if folder.strip()]


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
