"""What the server says about a backend: the handshake and the OpenRPC document."""

from __future__ import annotations

from importlib.metadata import version

import msgspec

from nodevms.rpc.backend import Backend, Method

VERSION = version("nodevms")
OWN_METHODS = frozenset(("handshake", "rpc.discover"))
"""Answered by the server; exports of these names cannot be called."""


def handshake(backend: Backend) -> bytes:
    """Return the JSON text of ``handshake``'s result.

    The first three members are those of the 2017 server; its client reads nothing else.
    """
    return msgspec.json.encode(
        {
            "methods": [method.name for method in _callable(backend)],
            "callLogUrl": backend.call_log_url,
            "filesArchiveUrl": backend.files_archive_url,
            "title": backend.title,
            "debug": backend.debug,
            "epoch": backend.epoch,
            "codeHash": backend.code_hash,
            "version": VERSION,
            "readonly": [method.name for method in _callable(backend) if method.readonly],
        }
    )


def describe(backend: Backend) -> bytes:
    """Return the JSON text of ``rpc.discover``'s result, an OpenRPC 1.3 document.

    JavaScript says nothing of a parameter's type and lets every one be left out, so each is
    optional and of any type.
    """
    methods = [
        {
            "name": method.name,
            "paramStructure": "by-position",
            "params": [
                {"name": name, "required": False, "schema": {}} for name in method.parameters
            ],
            "result": {"name": "result", "schema": {}},
        }
        | ({"x-readonly": True} if method.readonly else {})
        for method in _callable(backend)
    ]
    info = {"title": backend.title or "nodevms backend", "version": backend.code_hash}
    return msgspec.json.encode({"openrpc": "1.3.2", "info": info, "methods": methods})


def _callable(backend: Backend) -> list[Method]:
    return [method for method in backend.methods if method.name not in OWN_METHODS]
