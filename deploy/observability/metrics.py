"""Every metric the code declares, read off the modules that declare them."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from prometheus_client.metrics import MetricWrapperBase

import shared

OF_THE_PROCESS = (
    ("process_resident_memory_bytes", "gauge", "Memory of the process."),
    ("process_open_fds", "gauge", "File descriptors in use."),
    ("process_max_fds", "gauge", "File descriptors there may be."),
    ("process_cpu_seconds_total", "counter", "Processor time used."),
    ("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970."),
)
"""Those of prometheus_client that rules and dashboard use; `up` is Prometheus's own."""

_ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


@dataclass(frozen=True, order=True)
class Metric:
    """`name` as it is on the page; a counter's ends in `_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str

    @property
    def samples(self) -> set[str]:
        """The names that a query may use."""
        return {self.name} if self.kind == "counter" else {self.name + ending for ending in _ENDINGS[self.kind]}


@cache
def metrics() -> tuple[Metric, ...]:
    """All of them, by name."""
    found = set(_declared())
    found |= {Metric(name, kind, (), text) for name, kind, text in OF_THE_PROCESS}
    return tuple(sorted(found))


def _declared() -> Iterator[Metric]:
    for module in pkgutil.walk_packages(shared.__path__, "shared."):
        if not module.name.startswith("shared.service.migrations"):
            importlib.import_module(module.name)
    for name in [name for name in sys.modules if name.startswith("shared.")]:
        for value in list(vars(sys.modules[name]).values()):
            if isinstance(value, MetricWrapperBase):
                (family,) = value.describe()
                ending = "_total" if family.type == "counter" else ""
                labels = tuple(value._labelnames)  # noqa: SLF001 - there is no other way to ask
                yield Metric(family.name + ending, family.type, labels, family.documentation)
