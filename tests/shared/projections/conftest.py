"""A reader that tries again and searches sooner than in earnest, for tests that ask for it."""

from __future__ import annotations

import pytest

from shared.projections import feed, gaps


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "PAUSES", (0.0, 0.001))
    monkeypatch.setattr(gaps, "SEARCHES", (0.01, 0.02))
