"""An entry's ``err`` as a sentence for people."""

from __future__ import annotations

import json


def describe_error(err: bytes) -> str:
    """Return ``Name: message`` for an Error, and the JSON text of anything else that was thrown.

    Args:
        err: The JSON text that the entry holds.
    """
    try:
        value = json.loads(err)
    except (ValueError, RecursionError):
        return "an error that cannot be shown"
    if not isinstance(value, dict):
        return "an error that cannot be shown"
    if "name" in value:
        name, message = str(value["name"]), str(value.get("message", ""))
        return f"{name}: {message}" if message else name
    if "value" in value:
        return f"thrown value: {json.dumps(value['value'], ensure_ascii=False)}"
    return "undefined was thrown"
