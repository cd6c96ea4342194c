"""A reader that tries again and searches sooner than in earnest, for tests that ask for it."""

from __future__ import annotations

import pytest

from shared.views import gaps
from shared.views import reader as reader_module


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "PAUSES", (0.0, 0.001))
    monkeypatch.setattr(gaps, "SEARCHES", (0.01, 0.02))
