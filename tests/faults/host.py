"""`guildhall up` with a proxy in front of PostgreSQL and of Kafka: the same supervisor, the same processes.

Run as `python -m tests.faults.host HOME PORT POSTGRES-PROXY KAFKA-PROXY SERVICE,… [SETTING=VALUE …]`; the settings
are PostgreSQL's. It is up when the state folder says so, and stops in order at SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from rich.console import Console

from deploy.local.home import Home
from deploy.local.kafka import Kafka
from deploy.local.ports import LOOPBACK
from deploy.local.progress import Progress
from deploy.local.supervisor import Supervisor
from deploy.local.system import System
from deploy.local.up import bring_up

OPEN = {"GUILDHALL_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT", "GUILDHALL_RECORD_SECRET": ""}


class ProxiedKafka(Kafka):
    """A broker that tells its clients the proxy's address as its own, and asks nobody who they are: tests bring
    topics of their own, and write what the log did not.
    """

    proxy = 0

    def prepare(self) -> None:
        super().prepare()
        with (self.folder / "server.properties").open("a") as file:  # of two lines for a key the last one counts
            file.write(f"advertised.listeners=CLIENTS://{LOOPBACK}:{self.proxy}\n")


def proxied(
    home: Home, port: int, postgres_proxy: int, kafka_proxy: int, services: list[str], settings: dict[str, str]
) -> System:
    """The parts of a system with these services, which reach PostgreSQL and Kafka by way of the proxies only."""
    system = System.at(home, port)
    system.services = [service for service in system.services if service.name in services]
    postgres = system.postgres
    postgres.settings.update(settings)
    broker = ProxiedKafka(home, system.kafka.port, system.kafka.controller_port)
    broker.proxy = kafka_proxy
    system.kafka = broker
    for given in (system.settings, *(service.settings for service in system.services)):
        dsn = given["GUILDHALL_DATABASE_URL"]
        given["GUILDHALL_DATABASE_URL"] = dsn.replace(f":{postgres.port}/", f":{postgres_proxy}/")
        given.update(OPEN, GUILDHALL_KAFKA=f"{LOOPBACK}:{kafka_proxy}")
    return system


async def run(home: Home, system: System) -> None:
    console = Console(width=200)
    progress = Progress(console)
    supervisor = Supervisor(home, progress.say)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        await bring_up(system, supervisor, progress, demo=False)
        await stopped.wait()
    finally:
        await supervisor.stop()


def main(arguments: list[str]) -> None:
    folder, *numbers = arguments[:4]
    port, postgres_proxy, kafka_proxy = map(int, numbers)
    services = arguments[4].split(",")
    settings = dict(pair.split("=", 1) for pair in arguments[5:])
    home = Home(Path(folder)).open()
    with home.lock():
        asyncio.run(run(home, proxied(home, port, postgres_proxy, kafka_proxy, services, settings)))


if __name__ == "__main__":
    main(sys.argv[1:])
