"""A service's API document, and a page to read and try it: with scripts of its own, and none from anywhere else.

Everything lies under the addresses that it has at the gateway, too, so nothing is rewritten on the way.
"""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.responses import Response

_PACKAGE = find_spec("fastapi_offline")  # found, not imported: it carries Swagger UI, and its code is not needed
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
_UI = Path(_PACKAGE.origin).parent / "static"
FILES = {
    "swagger-ui.css": _UI / "swagger-ui.css",
    "swagger-ui-bundle.js": _UI / "swagger-ui-bundle.js",
    "start.js": Path(__file__).with_name("documentation.js"),
}
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/{name}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-document="/openapi/{name}.json"></div>
<noscript>This page needs JavaScript; <a href="/openapi/{name}.json">the document itself</a> does not.</noscript>
<script src="/docs/{name}/swagger-ui-bundle.js"></script>
<script src="/docs/{name}/start.js"></script>
</body>
</html>
"""


def install(app: FastAPI, name: str) -> None:
    """Serve the document of a service at `/openapi/{name}.json`, and the page at `/docs` and `/docs/{name}`."""
    page = PAGE.format(title=html.escape(app.title), name=html.escape(name))

    async def read() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    async def document() -> Response:
        return JSONResponse(app.openapi())

    app.add_api_route("/docs", read, include_in_schema=False)
    app.add_api_route(f"/docs/{name}", read, include_in_schema=False)
    app.add_api_route(f"/openapi/{name}.json", document, include_in_schema=False)
    for file, path in FILES.items():
        app.add_api_route(f"/docs/{name}/{file}", _file(path), include_in_schema=False)


def _file(path: Path) -> Callable[[], Awaitable[Response]]:
    async def send() -> Response:
        return FileResponse(path, headers={"Cache-Control": "public, max-age=3600"})

    return send
