"""Serving and calling: JSON-RPC over WebSocket and HTTP."""
