"""The broker is pinned by sums, and no file names where it comes from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from deploy.local import jars
from deploy.local.problems import LocalError


def test_every_jar_has_a_sum_and_all_of_kafka_one_version() -> None:
    locked = jars.locked()
    assert all(len(jar.sha256) == 64 for jar in locked)
    assert {jar.version for jar in locked if jar.group == "org.apache.kafka"} == {"4.4.0"}
    assert any(jar.artifact == "log4j-slf4j-impl" for jar in locked)
    assert len({jar.file for jar in locked}) == len(locked)


def test_the_lock_names_no_host() -> None:
    assert "://" not in jars.LOCK.read_text()


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path) -> None:
    for jar in jars.locked():
        (tmp_path / jar.file).touch()
    (tmp_path / "complete").touch()
    assert len(jars.fetch(tmp_path)) == len(jars.locked())


def test_a_file_with_another_sum_is_refused_and_does_not_reach_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = tmp_path / "forged.jar"
    forged.write_bytes(b"something else")
    jar = jars.Jar("g", "a", "1", hashlib.sha256(b"the real one").hexdigest())
    monkeypatch.setattr("jgo.maven.Artifact.resolve", lambda _: forged)
    with pytest.raises(LocalError, match="sha256"):
        jars._download(jar, tmp_path / "scratch", tmp_path)
    assert not (tmp_path / jar.file).exists()
