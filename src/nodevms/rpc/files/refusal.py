"""Answers that say why there is nothing to see, in HTML for browsers and in JSON otherwise."""

from __future__ import annotations

import msgspec
from aiohttp import hdrs, web

from nodevms.rpc.files.page import refusal_page
from nodevms.rpc.files.wanted import wants_html


def refusal(
    request: web.Request, status: int, code: str, sentence: str, *, to_root: str | None = None
) -> web.Response:
    """Return the answer.

    Args:
        request: The request.
        status: The HTTP status.
        code: A stable name for programs.
        sentence: For people.
        to_root: Relative URL of the root folder, if one can be given.
    """
    if wants_html(request.headers.get(hdrs.ACCEPT)):
        body, content_type = refusal_page(status, sentence, to_root), "text/html"
        response = web.Response(status=status, body=body, content_type=content_type)
        response.charset = "utf-8"
    else:
        body = msgspec.json.encode({"error": {"code": code, "message": sentence}})
        response = web.Response(status=status, body=body, content_type="application/json")
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    return response
