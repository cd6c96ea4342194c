"""Settings: what is refused, and secrets that lie in files."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import Settings


def test_signing_in_asks_for_a_name() -> None:
    with pytest.raises(ValidationError, match="kafka_sasl_username is empty"):
        Settings(kafka_security_protocol="SASL_SSL")


def test_a_setting_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KAFKA_SASL_PASSWORD": "one\n",
        "RECORD_SECRET": "two",
        "DATABASE_URL": "postgresql://x/y",
    }.items():
        (tmp_path / name).write_text(value)
        monkeypatch.setenv(f"GUILDHALL_{name}_FILE", str(tmp_path / name))
    settings = Settings()

    assert settings.kafka_sasl_password.get_secret_value() == "one"
    assert settings.record_secrets == [b"two"]
    assert settings.database_url == "postgresql://x/y"
    monkeypatch.setenv("GUILDHALL_RECORD_SECRET", "three")
    assert Settings().record_secrets == [b"three"]
