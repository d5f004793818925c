"""Serving and calling: JSON-RPC over WebSocket and HTTP.

The wire is that of the server of 2017, whose npm client works unmodified; docs/rpc.md describes
it for users.
"""

from nodevms.rpc.backend import Answer, Backend, Method
from nodevms.rpc.blocking import BlockingRPCClient
from nodevms.rpc.channel import RawAnswer
from nodevms.rpc.client import BackendInfo, RPCClient
from nodevms.rpc.client_errors import (
    CallOutcomeUnknownError,
    ConnectionFailedError,
    RemoteError,
)
from nodevms.rpc.limits import Limits
from nodevms.rpc.read_only_answer import ReadOnlyAnswer
from nodevms.rpc.server import RPCServer
from nodevms.rpc.urls import BackendURL, parse_backend_url

__all__ = [
    "Answer",
    "Backend",
    "BackendInfo",
    "BackendURL",
    "BlockingRPCClient",
    "CallOutcomeUnknownError",
    "ConnectionFailedError",
    "Limits",
    "Method",
    "RPCClient",
    "RPCServer",
    "RawAnswer",
    "ReadOnlyAnswer",
    "RemoteError",
    "parse_backend_url",
]
