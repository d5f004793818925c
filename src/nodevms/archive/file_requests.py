"""Requests and answers of the file operations as bytes (host API 1).

A request is a JSON array ``[name, ...arguments]`` in UTF-8, then maybe NUL and raw bytes. An
argument is a string, a number, a boolean, null, or a flat object of these. An answer is
``{"value":…}`` or ``{"error":{"name":…,"message":…,"code"?:…}}``, then for a file's content NUL and
the raw bytes. JSON text holds no NUL, so the first one ends it.

The guest's memory may have been damaged by a hostile script: every request gets an answer, the
same on every machine. Nesting is refused by shape, so that it does not matter whether a parser
gave up on its depth or this module on its shape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NoReturn

from nodevms.archive.errors import BadArgumentError, MalformedRequestError

Scalar = str | int | float | bool | None
Argument = Scalar | dict[str, Scalar]

ARGUMENTS_MAX = 3
OK = b'{"value":null}'
# Python refuses to read integers of more than 640 to 4,300 digits, depending on its settings.
_DIGITS_MAX = 400


@dataclass(frozen=True, slots=True)
class Request:
    """One file operation as the guest asks for it.

    Attributes:
        name: The operation.
        arguments: At most three.
        data: Raw bytes after the JSON text; None if there is no NUL.
    """

    name: str
    arguments: tuple[Argument, ...]
    data: bytes | None

    def text(self, index: int) -> str:
        """Return an argument that must be a string (a path).

        Raises:
            BadArgumentError: It is missing or something else.
        """
        value = self.arguments[index] if index < len(self.arguments) else None
        if not isinstance(value, str):
            raise BadArgumentError("a path must be a string")
        return value

    def options(self, index: int) -> dict[str, Scalar]:
        """Return an argument that is an object of options, or null, or missing.

        Raises:
            BadArgumentError: It is something else.
        """
        value = self.arguments[index] if index < len(self.arguments) else None
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise BadArgumentError("options must be an object")
        return value


def parse_request(request: bytes) -> Request:
    """Read a request.

    Raises:
        MalformedRequestError: The bytes are none; always with the same message.
    """
    head, separator, data = request.partition(b"\0")
    try:
        parsed = _DECODER.decode(head.decode())
    except (ValueError, RecursionError):
        _malformed()
    if not isinstance(parsed, list) or not 1 <= len(parsed) <= 1 + ARGUMENTS_MAX:
        _malformed()
    name, *arguments = parsed
    if not isinstance(name, str) or not all(map(_is_argument, arguments)):
        _malformed()
    return Request(name, tuple(arguments), data if separator else None)


def truthy(value: Scalar) -> bool:
    """Tell whether JavaScript takes a JSON value for true."""
    return value not in {None, "", 0}


def answer_value(value: object) -> bytes:
    """Return the bytes of a successful answer."""
    return _encode({"value": value})


def answer_error(name: str, message: str, code: str | None = None) -> bytes:
    """Return the bytes of a refusal; those because of a limit have its code."""
    error = {"name": name, "message": message}
    return _encode({"error": error if code is None else {**error, "code": code}})


def answer_content(data: bytes) -> bytes:
    """Return the bytes of an answer that is a file's content."""
    return b"%b\0%b" % (OK, data)


def _encode(value: object) -> bytes:
    # Only a title can have lone surrogates; no answer may fail because of it.
    return _ENCODER.encode(value).encode(errors="replace")


def _malformed() -> NoReturn:
    raise MalformedRequestError("the file request is malformed")


def _is_argument(value: object) -> bool:
    if isinstance(value, dict):
        return not any(isinstance(inner, dict | list) for inner in value.values())
    return not isinstance(value, list)


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise ValueError("too many digits")
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
