"""What a local system consists of: its processes, their ports and the settings the services get."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.local import issuer, ports, problems
from deploy.local.gateway import Gateway
from deploy.local.home import Home
from deploy.local.identity import holder_of
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.service import SERVICES, Service, run_command
from shared.kafka.principals import OPERATOR, everybody, principal

PARTITIONS = 12


@dataclass
class System:
    """The components of one state folder; nothing is started by making it."""

    home: Home
    origin_port: int
    ports: dict[str, int]
    postgres: Postgres
    kafka: Kafka
    services: list[Service]
    gateway: Gateway
    settings: dict[str, str] = field(default_factory=dict)
    """The operator's; a service has others of its own."""

    @property
    def origin(self) -> str:
        return self.gateway.origin

    @classmethod
    def at(cls, home: Home, origin_port: int, command: Callable[[str], list[str]] = run_command) -> System:
        """Choose the ports, keeping the remembered ones, and put the parts together."""
        if not ports.is_free(origin_port):
            raise problems.port_in_use(origin_port, holder_of(origin_port))
        names = [*SERVICES, "postgres", "kafka", "controller"]
        given = ports.assign(names, origin_port, home.read("ports.json"))
        home.write("ports.json", json.dumps({"origin": origin_port, **given}))
        postgres = Postgres(home, given["postgres"])
        kafka = Kafka(home, given["kafka"], given["controller"], users=everybody(SERVICES))
        gateway = Gateway(home, origin_port, {name: given[name] for name in SERVICES})
        settings = _settings(home, postgres, kafka, gateway)
        services = [
            Service(home, name, given[name], {**settings, **_own(name, postgres, kafka)}, command) for name in SERVICES
        ]
        return cls(home, origin_port, given, postgres, kafka, services, gateway, settings)


def running_settings(home: Home) -> dict[str, str]:
    """What the services of the system that runs here were given, and where they are; empty while none does."""
    given = home.read("ports.json")
    if not home.is_locked() or not given:
        return {}
    gateway = Gateway(home, given["origin"], {name: given[name] for name in SERVICES})
    kafka = Kafka(home, given["kafka"], given["controller"], users=everybody(SERVICES))
    postgres = Postgres(home, given["postgres"])
    return {
        **_settings(home, postgres, kafka, gateway),
        "GUILDHALL_SERVICE_URLS": ",".join(f"{name}=http://{ports.LOOPBACK}:{given[name]}" for name in SERVICES),
    }


def _settings(home: Home, postgres: Postgres, kafka: Kafka, gateway: Gateway) -> dict[str, str]:
    return {
        "GUILDHALL_DATABASE_URL": postgres.dsn("guildhall_{service}"),
        **kafka.signed_in(OPERATOR),
        "GUILDHALL_RECORD_SECRET": home.secret("record"),
        "GUILDHALL_PARTITIONS": str(PARTITIONS),
        "GUILDHALL_ISSUER": issuer.ISSUER,
        "GUILDHALL_AUDIENCE": issuer.AUDIENCE,
        "GUILDHALL_JWKS": str(issuer.Issuer(home).write_jwks()),
        "GUILDHALL_MEMBER_SECRET": home.secret("member"),
        "GUILDHALL_CURSOR_SECRET": home.secret("cursor"),
        "GUILDHALL_HOST": ports.LOOPBACK,
        "GUILDHALL_PUBLIC_URL": gateway.origin,
        "GUILDHALL_DATA_FOLDERS": f"{postgres.data},{kafka.data}",
    }


def _own(service: str, postgres: Postgres, kafka: Kafka) -> dict[str, str]:
    """What a service alone has: its database's role, and its name at the broker."""
    database = f"guildhall_{service}"
    return {"GUILDHALL_DATABASE_URL": postgres.dsn(database, database), **kafka.signed_in(principal(service))}
