"""The files of a backend over plain HTTP, read-only: ``files/`` below its mount path.

What is served was written by a script that nobody trusts, from the origin that also serves RPC. So
no answer here can run code in a browser (ADR 0075), and no name or content decides anything about
the server. Only what the log's synced entries say is shown.
"""

from nodevms.rpc.files.door import FilesDoor
from nodevms.rpc.files.turns import Turns

__all__ = ["FilesDoor", "Turns"]
