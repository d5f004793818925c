"""The encodings in which a file's content is read, as scripts name them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from nodevms.archive import FilesError


class InvalidEncodingError(FilesError):
    """There is no such encoding, or the content has not the form that it wants."""

    name = "InvalidEncodingError"
    code = "files-invalid-encoding"


def check_encoding(encoding: str) -> None:
    """Refuse what is no encoding.

    Raises:
        InvalidEncodingError: It is none of ``utf8``, ``json``, ``base64``, ``hex``, ``binary``.
    """
    if encoding not in _DECODERS:
        raise InvalidEncodingError("the encoding must be utf8, json, base64, hex or binary")


def decode_content(data: bytes, encoding: str) -> Any:
    """Return a content as text, value or bytes.

    Raises:
        InvalidEncodingError: There is no such encoding, or the content is no JSON.
    """
    check_encoding(encoding)
    return _DECODERS[encoding](data)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _value(data: bytes) -> Any:
    try:
        return json.loads(_text(data))
    except (ValueError, RecursionError) as error:
        raise InvalidEncodingError(f"the content is no JSON: {error}") from None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_DECODERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "utf8": _text,
    "json": _value,
    "base64": _base64,
    "hex": bytes.hex,
    "binary": bytes,
}
