"""contracts/ is what the code says, every sample is what today's code and every reader of it can read."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import jsonschema_rs
import pytest

from deploy.contracts.__main__ import ROOT, differences, write
from deploy.contracts.documents import SERVICES, load, published, schemas
from shared.events.catalogue import Catalogue
from shared.events.envelope import from_wire
from shared.events.event import wire_name

SAMPLES = sorted((ROOT / "contracts" / "samples").glob("*.json"))


def test_every_published_event_has_a_sample_and_a_schema() -> None:
    names = {wire_name(event) for events in published().values() for event in events}

    assert {path.stem for path in SAMPLES} == names
    assert {f"contracts/events/{name}.schema.json" for name in names} < set(schemas())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: str(path.stem))
def test_a_sample_fits_its_schemas_and_is_read_by_todays_code(path: Path) -> None:
    events = ROOT / "contracts" / "events"
    message = json.loads(path.read_bytes())
    jsonschema_rs.validate(json.loads((events / "envelope.schema.json").read_bytes()), message)
    jsonschema_rs.validate(json.loads((events / f"{path.stem}.schema.json").read_bytes()), message["data"])

    record = from_wire(path.read_bytes())
    own = Catalogue(published()[record.service]).decode(record.type, record.data)

    assert wire_name(type(own)) == path.stem


def test_every_reader_in_another_service_reads_the_samples_of_what_it_subscribes_to() -> None:
    samples = {path.stem: from_wire(path.read_bytes()) for path in SAMPLES}
    read = []
    for service in map(load, SERVICES):
        for view in service.topic_read_models:
            for name in view.catalogue.events:
                read.append(view.catalogue.decode(name, samples[name].data))

    assert len(read) > 20


def test_every_reader_knows_every_published_version_of_what_it_reads() -> None:
    names = {wire_name(event) for events in published().values() for event in events}
    views = [view for service in map(load, SERVICES) for view in service.views]

    assert [
        (view.name, n) for view in views for n in names if n in view.catalogue and n not in view.catalogue.events
    ] == []


def test_no_service_is_left_out_of_the_contracts() -> None:
    assert all(importlib.import_module(f"services.{name}.app").SERVICE.name == name for name in SERVICES)


def test_what_differs_is_named_and_written(tmp_path: Path) -> None:
    wanted = {"contracts/a.json": b"1", "deploy/docker/caddy.json": b"2"}
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "old.json").write_bytes(b"0")

    assert differences(tmp_path, wanted) == ["contracts/a.json", "contracts/old.json", "deploy/docker/caddy.json"]
    write(tmp_path, wanted)
    assert differences(tmp_path, wanted) == []
