"""The token that the local page offers to try: one for a visitor, without any scope, that ends within minutes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

from deploy.local.home import Home
from deploy.local.issuer import Issuer

SUBJECT = "visitor"
LIFETIME = 15 * 60
RENEWED = 5 * 60
"""Seconds between one token and the next: whoever gets one has it for ten minutes at least."""
FOLDER = "visitor"


def renew(home: Home) -> None:
    """Put a new token in place of the last."""
    ends = int(time.time()) + LIFETIME
    token = Issuer(home).mint(SUBJECT, "", LIFETIME)
    home.write(f"{FOLDER}/token.json", json.dumps({"access_token": token, "expires_at": ends}))


async def keep(home: Home) -> None:
    """Renew it until cancelled; then there is none any more."""
    try:
        while True:
            with contextlib.suppress(OSError):  # a full disk: the next one may fit
                renew(home)
            await asyncio.sleep(RENEWED)
    finally:
        (home.root / FOLDER / "token.json").unlink(missing_ok=True)
