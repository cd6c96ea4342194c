"""Kafka 4.4 as one KRaft node from its jars: topics kept for ever, quick to start, small in memory.

With users it takes nobody's word for who they are (SCRAM-SHA-512), and allows them what `guildhall acls` told it. Users
are part of what its storage is made with; where they or their passwords are others it is made anew, and the old one
lies beside it: what topics hold is a copy of the logs, and relays fill it again.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local import jars, paths, problems
from deploy.local import kafka_security as security
from deploy.local.certificates import Certificates
from deploy.local.component import Component, Launch, tail
from deploy.local.home import Home
from deploy.local.ownership import make_folder
from deploy.local.ports import LOOPBACK
from shared.kafka.principals import ADMIN

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "num.partitions": "12",
    "log.retention.ms": "-1",
    "log.retention.bytes": "-1",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A killed broker may register again only when its old session has run out: 3 s instead of 10.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": "16777216",  # the default, 128 MB, is a quarter of this heap
}
LOG4J = """rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c - %m%n
"""
# One compiler tier and the serial collector: measured 1.5 s to listening instead of 2.2 s.
JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms128m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError"]
QUIET = ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # length, key, version, correlation, no client id


class Kafka(Component):
    """A broker of its own in `home/kafka`; usable apart from `guildhall up`."""

    name = "kafka"
    title = "Kafka"
    stop_deadline = 20.0

    def __init__(
        self,
        home: Home,
        port: int,
        controller_port: int,
        settings: Mapping[str, str] | None = None,
        *,
        users: Sequence[str] = (),
        tls: Certificates | None = None,
    ) -> None:
        super().__init__(home)
        self.port, self.controller_port = port, controller_port
        self.users, self.tls = users, tls
        self.settings = {**SETTINGS, **(settings or {})}
        self.folder = home.root / "kafka"
        self.data = self.folder / "data"
        self._jars: list[Path] = []
        self._creating: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def password(self, user: str) -> str:
        return self.home.secret(f"kafka-{user}")

    def signed_in(self, user: str) -> dict[str, str]:
        """The settings of one who reaches this broker as that user."""
        given = {"GUILDHALL_KAFKA": self.address}
        if self.tls is not None:
            given["GUILDHALL_KAFKA_SSL_CA_LOCATION"] = str(self.tls.authority)
        if self.users:
            given["GUILDHALL_KAFKA_SECURITY_PROTOCOL"] = security.protocol(self.tls)
            given["GUILDHALL_KAFKA_SASL_MECHANISM"] = security.MECHANISM
            given["GUILDHALL_KAFKA_SASL_USERNAME"] = user
            given["GUILDHALL_KAFKA_SASL_PASSWORD"] = self.password(user)
        return given

    def prepare(self) -> None:
        make_folder(self.folder)
        self.cache = jars.cache(self.home.root)
        self._jars = jars.fetch(self.cache)
        listeners = f"CLIENTS://{self.address}"
        secured = {"listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT"}
        if self.users:
            secured = security.broker(ADMIN, self.password(ADMIN), self.home.secret("kafka-controller"), self.tls)
        addressed = {
            **secured,
            "inter.broker.listener.name": "CLIENTS",
            "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": listeners,
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "log.dirs": str(self.data).replace("\\", "\\\\"),
        }
        lines = [f"{key}={value}\n" for key, value in {**self.settings, **addressed}.items()]
        self.home.write("kafka/server.properties", "".join(lines))
        self.home.write("kafka/log4j2.properties", LOG4J)
        users = {user: self.password(user) for user in self.users}
        mark = self.folder / "formatted"
        if not mark.exists() or mark.read_text().partition("\n")[2].strip() != security.fingerprint(users):
            self._format(users)

    def _java(self, main: str, *arguments: str, extra: tuple[str, ...] = ()) -> list[str]:
        classpath = os.pathsep.join(str(path) for path in self._jars)
        log4j = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return [str(paths.java()), *JVM, *QUIET, *extra, log4j, "-cp", classpath, main, *arguments]

    def _format(self, users: Mapping[str, str]) -> None:
        # Without the mark nothing can have been stored: a format that was killed is begun again.
        if (self.folder / "formatted").exists():
            before = self.folder / "data.before"
            shutil.rmtree(before, ignore_errors=True)
            os.replace(self.data, before)
            (self.folder / "formatted").unlink()
        shutil.rmtree(self.data, ignore_errors=True)
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        cluster = cluster.replace("-", "A", 1) if cluster.startswith("-") else cluster
        config = str(self.folder / "server.properties")
        java, *arguments = self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", config)
        for user, password in users.items():
            arguments += ["--add-scram", f"{security.MECHANISM}=[name={user},password={password}]"]
        # In a file: everybody on this machine may read the command lines of all processes.
        given = self.home.write("kafka/format", "\n".join(security.quoted(argument) for argument in arguments))
        tool = [java, f"@{given}"]
        made = subprocess.run(tool, capture_output=True, text=True, cwd=self.folder, timeout=300)  # noqa: S603
        given.unlink()
        if made.returncode != 0:
            with self.home.append(self.name) as log:
                log.write((made.stdout + made.stderr).encode())
            raise problems.died_at_start("Kafka's storage tool", self.log, tail(self.log, 6))
        self.home.write("kafka/formatted", f"{cluster}\n{security.fingerprint(users)}\n")

    def launch(self) -> Launch:
        if not self._jars:
            self.prepare()
        return Launch(
            self._java("kafka.Kafka", str(self.folder / "server.properties"), extra=self._archive()),
            {"LOG_DIR": str(self.home.logs)},
        )

    def _archive(self) -> tuple[str, ...]:
        """Start from a snapshot of loaded classes (0.7 s instead of 1.5 s); the first broker's end records it."""
        snapshot = self._snapshot_file()
        if snapshot.exists():
            return (f"-XX:AOTCache={snapshot}",)
        return ("-XX:AOTMode=record", f"-XX:AOTConfiguration={self.folder / 'broker.aotconf'}")

    def _snapshot_file(self) -> Path:
        """Named after all it depends on: the jars (by the folder), the runtime, its options."""
        runtime = (paths.java().parent.parent / "release").read_text()
        made_of = hashlib.sha256("\n".join([runtime, *JVM, *QUIET]).encode()).hexdigest()[:12]
        return self.cache / f"broker-{made_of}.aot"

    def snapshot(self) -> None:
        """Turn the classes an earlier broker recorded into the snapshot, beside the running one, at low priority."""
        recorded, target = self.folder / "broker.aotconf", self._snapshot_file()
        if target.exists() or not recorded.exists():
            return
        # Taken first: a recording that breaks does not break every start.
        taken, fresh = recorded.with_suffix(".taken"), self.folder / "broker.aot"
        os.replace(recorded, taken)
        create = self._java("", extra=("-XX:AOTMode=create", f"-XX:AOTConfiguration={taken}", f"-XX:AOTCache={fresh}"))
        script = 'nice -n 19 "$@" && cp "$0" "$COPY" && mv "$COPY" "$TARGET"; rm -f "$0" "$COPY" "$TAKEN"'
        self._creating = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", script, str(fresh), *create[:-1]],
            env={
                **os.environ,
                "TARGET": str(target),
                "COPY": str(target.with_name(f".{os.getpid()}.aot")),
                "TAKEN": str(taken),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self) -> None:
        super().kill()
        if (creating := self._creating) is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(creating.pid, signal.SIGKILL)
            creating.wait()

    def ready(self) -> bool:
        """The broker answers ApiVersions: it is past start-up, not merely listening."""
        if self.pid is None:
            return False
        with contextlib.suppress(OSError), security.reached(self.port, self.tls) as connection:
            connection.settimeout(1)
            connection.sendall(API_VERSIONS)
            return len(connection.recv(10)) == 10
        return False
