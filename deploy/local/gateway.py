"""Caddy from its wheel: the one origin in front of the services."""

from __future__ import annotations

import json
from collections.abc import Mapping

from deploy.local import page, paths, routes, visitor
from deploy.local.component import Component, Launch
from deploy.local.home import Home
from deploy.local.issuer import Issuer
from deploy.local.ports import LOOPBACK, answers
from deploy.local.problems import LocalError


class Gateway(Component):
    """Routes by the services' path templates; usable apart from `guildhall up`."""

    name = "gateway"
    title = "The gateway"
    stop_deadline = 8.0

    def __init__(
        self, home: Home, port: int, services: Mapping[str, int], templates: routes.Paths | None = None
    ) -> None:
        super().__init__(home)
        self.port = port
        self.services = services
        self.templates = templates

    @property
    def origin(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        issuer, folder = Issuer(self.home), self.home.root / "gateway"
        templates = self.templates if self.templates is not None else routes.contract()
        if not templates:
            raise LocalError(
                f"{routes.CONTRACT} is missing.",
                "The gateway's routes are generated from the services' API documents, and that was not done.",
                "Run make contracts, then guildhall up again.",
            )
        known = {name: templates[name] for name in templates if name in self.services}
        upstreams = {name: routes.local(port) for name, port in self.services.items()}
        services = {name: f"{LOOPBACK}:{port}" for name, port in self.services.items()}
        local = page.Local(services, str(self.home.root / visitor.FOLDER))
        made = routes.routes(upstreams, known, page.INSTALLED, local, (issuer.discovery(self.origin), issuer.jwks()))
        config = routes.config(f"{LOOPBACK}:{self.port}", folder, made, upstreams)
        self.home.write("gateway/caddy.json", json.dumps(config))

    def launch(self) -> Launch:
        self.prepare()
        folder = self.home.root / "gateway"
        own = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        own |= {"GOMEMLIMIT": "128MiB"}  # what bursts have left behind is given back
        own |= {"GUILDHALL_ORIGIN": self.origin, "GUILDHALL_LOCAL": "true"}
        return Launch([str(paths.caddy()), "run", "--config", str(folder / "caddy.json")], own)

    def ready(self) -> bool:
        return self.pid is not None and answers(self.port)
