"""The names of parameters, for people who read a list of methods."""

from __future__ import annotations

import json

from nodevms.errors import CouldNotCheckError
from nodevms.rpc import RemoteError, RPCClient


async def parameters_of(client: RPCClient) -> dict[str, tuple[str, ...]]:
    """Return each method of a connected backend with the names of its parameters.

    Where the server does not answer ``rpc.discover``, all methods have none.
    """
    names = client.info.methods if client.info else ()
    found: dict[str, tuple[str, ...]] = dict.fromkeys(names, ())
    try:
        document = json.loads((await client.request("rpc.discover")).result or b"{}")
        for method in document["methods"]:
            if method["name"] in found:
                found[method["name"]] = tuple(str(one["name"]) for one in method["params"])
    except (RemoteError, CouldNotCheckError, LookupError, TypeError, ValueError, RecursionError):
        pass
    return found
