"""Settings of an installation with a few partitions, on the tests' broker."""

from __future__ import annotations

import pytest

from shared.settings import Settings
from tests.stack import Stack


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return Settings(kafka=stack.kafka, partitions=3)
