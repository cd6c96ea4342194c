"""The log in memory is a log."""

from __future__ import annotations

import pytest

from shared.log.port import Log, VaultRow, VersionConflict, Write
from tests.doubles.log import MemoryLog
from tests.shared.log.log_conformance import LogConformance, event, one, request
from tests.shared.toy import ALICE, COMMUNITY, stream


class TestMemoryLog(LogConformance):
    @pytest.fixture
    def log(self) -> Log:
        return MemoryLog("toy")


async def test_secrets_are_kept_only_with_their_events() -> None:
    log = MemoryLog("toy")
    words = VaultRow(COMMUNITY, ALICE, stream(99), b'{"body":"hello"}')
    await log.append(one(1, 0))

    with pytest.raises(VersionConflict):
        await log.append(request(Write(stream(1), 0, (event(),)), secrets=(words,)))
    assert log.vault == {}

    await log.append(request(Write(stream(1), 1, (event(),)), secrets=(words,)))
    assert log.vault == {(COMMUNITY, stream(99)): words}
