"""The service's own log, for what a state does not know: when things happened."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from shared import context
from shared.log import Log


async def own_log(request: Request) -> Log:
    log = context.runtime_of(request).log
    assert log is not None, "the engagement service owns a log"
    return log


OwnLog = Annotated[Log, Depends(own_log)]
