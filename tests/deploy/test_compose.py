"""What docker-compose.yml opens, gives away and believes, read from the file itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import KNOWN, Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if str(service["image"]).startswith("guildhall:")]


def defaults(service: str) -> dict[str, str]:
    """The environment of a service where nobody has set anything."""
    given: dict[str, Any] = SERVICES[service]["environment"]
    return {name: re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value)) for name, value in given.items()}


def settings(monkeypatch: pytest.MonkeyPatch, **given: str) -> Settings:
    for name, value in {**defaults("member-api"), **given}.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_published_on_this_machine_only(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z]+_PORT:-\d+\}:\d+", port)
    assert "network_mode" not in SERVICES[name]


def test_the_gateway_alone_is_published_of_what_always_runs() -> None:
    assert [name for name, one in SERVICES.items() if one.get("ports") and not one.get("profiles")] == ["gateway"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert service["pids_limit"]
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    if name in OURS or name == "gateway":
        assert service["read_only"] is True
        assert service["mem_limit"]
        assert "cap_add" not in service or service["cap_add"] == ["NET_BIND_SERVICE"]


def test_the_key_that_signs_is_where_tokens_are_made_and_nowhere_else() -> None:
    holders = {name for name in OURS for volume in SERVICES[name]["volumes"] if volume.startswith("issuer:")}
    assert holders == {"setup", "tools"}
    for name in set(OURS) - holders:
        assert SERVICES[name]["volumes"] == ["keys:/var/lib/guildhall-keys:ro"]
    assert defaults("member-api")["GUILDHALL_JWKS"] == "/var/lib/guildhall-keys/jwks.json"
    assert "issuer --publish /var/lib/guildhall-keys/jwks.json" in SERVICES["setup"]["command"][0]


def test_the_image_has_an_empty_closed_state_folder_and_one_for_the_public_keys() -> None:
    made = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    assert "--no-create-home" in made  # else files of /etc/skel lie in it, and it is not taken
    assert re.search(r"install -d -m 0700 .* /var/lib/guildhall\b", made)
    assert re.search(r"install -d -m 0755 .* /var/lib/guildhall-keys\b", made)


def test_known_secrets_do_for_a_trial_on_this_machine_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = settings(monkeypatch)
    assert trial.refusal is None
    assert trial.known_secrets == [
        "GUILDHALL_MEMBER_SECRET",
        "GUILDHALL_CURSOR_SECRET",
    ]
    assert "GUILDHALL_PUBLIC_URL" in str(settings(monkeypatch, GUILDHALL_PUBLIC_URL="https://guild.example").refusal)
    monkeypatch.undo()
    assert "GUILDHALL_MEMBER_SECRET" in str(settings(monkeypatch, GUILDHALL_DEVELOPMENT="false").refusal)


def test_with_secrets_of_ones_own_it_may_be_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    own = settings(
        monkeypatch,
        GUILDHALL_PUBLIC_URL="https://guild.example",
        GUILDHALL_DATABASE_URL="postgresql://guildhall:sfp2N8@postgres/guildhall_{service}",
        GUILDHALL_MEMBER_SECRET="a" * 32,
        GUILDHALL_CURSOR_SECRET="b" * 32,
    )
    assert own.refusal is None


def test_every_secret_with_a_default_says_what_it_is() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name, default in re.findall(r"\$\{([A-Z_]*(?:PASSWORD|SECRET)[A-Z_]*):-([^}]*)\}", text):
        assert default.startswith(KNOWN), name


def secrets_in(folder: Path, before: str = "") -> dict[str, str]:
    """What the script leaves in `.env` where that is there already."""
    script = folder / "deploy" / "docker" / "secrets.sh"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes((ROOT / "deploy" / "docker" / "secrets.sh").read_bytes())
    if before:
        (folder / ".env").write_text(before)
    subprocess.run(["sh", str(script)], check=True)
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    return dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines())


@pytest.mark.usefixtures("servers")
def test_every_password_and_secret_is_made_for_an_installation_and_kept(tmp_path: Path) -> None:
    made = secrets_in(tmp_path)
    asked = set(re.findall(r"\$\{([A-Z_]*(?:PASSWORD|SECRET)[A-Z_]*)[:}]", (ROOT / "docker-compose.yml").read_text()))
    assert set(made) == asked
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in made.values())
    assert secrets_in(tmp_path) == made


@pytest.mark.usefixtures("servers")
def test_an_installation_of_before_keeps_who_its_members_are(tmp_path: Path) -> None:
    made = secrets_in(tmp_path, "POSTGRES_PASSWORD=old\n")
    assert made["POSTGRES_PASSWORD"] == "old"
    assert made.keys().isdisjoint(("GUILDHALL_MEMBER_SECRET", "GUILDHALL_CURSOR_SECRET"))


def test_no_program_signs_in_with_a_password_that_everybody_knows() -> None:
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")
