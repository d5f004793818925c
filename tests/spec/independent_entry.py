"""One entry of a call log, read as docs/spec.md spells it, and with nothing of nodevms."""

from __future__ import annotations

import json
import re
from typing import Any

from independent_feed import IsFalse, NotChecked

ENTRY_BYTES_MAX = 4_194_304
NUMBER_MAX = 2**53 - 1
DEPTH_MAX = 128

STRING = re.compile(
    r'"((?:[^\x00-\x1f"\\]|\\["\\btnfr]|\\u00(?:0[0-7be f]|1[0-9a-f]))*)"'.replace(" ", "")
)
NUMBER = re.compile(r"0|[1-9][0-9]*")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)

LIMITS = (
    *("gas", "memoryBytes", "stackBytes", "argsBytes", "resultBytes", "consoleBytes"),
    *("timers", "writtenBytes", "writtenPaths", "archiveBytes", "archivePaths"),
)


def refuse(name: str) -> Any:
    raise ValueError(name)


RAW = json.JSONDecoder(
    parse_int=lambda _: 0, parse_float=lambda _: 0.0, parse_constant=refuse, strict=True
)


class Reader:
    """Reads the one spelling from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def take(self, literal: str) -> None:
        if not self.maybe(literal):
            raise IsFalse(f"{literal!r} is wanted at {self.at}")

    def maybe(self, literal: str) -> bool:
        found = self.text.startswith(literal, self.at)
        self.at += len(literal) if found else 0
        return found

    def match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise IsFalse(f"a value at {self.at}")
        self.at = found.end()
        return found[0]

    def string(self) -> str:
        return str(json.loads(self.match(STRING)))

    def number(self) -> int:
        digits = self.match(NUMBER)
        if len(digits) > 16 or int(digits) > NUMBER_MAX:
            raise IsFalse("a number")
        return int(digits)

    def boolean(self) -> bool:
        if self.maybe("true"):
            return True
        self.take("false")
        return False

    def raw(self) -> str:
        start = self.at
        try:
            _, self.at = RAW.raw_decode(self.text, start)
        except (ValueError, RecursionError) as error:
            raise IsFalse("JSON") from error
        return self.text[start : self.at]


def read_entry(block: bytes) -> dict[str, Any]:
    """Return an entry, whose `args`, `res` and `err` stay text."""
    if len(block) > ENTRY_BYTES_MAX:
        raise IsFalse("an entry is too long")
    try:
        text = block.decode()
    except UnicodeDecodeError as error:
        raise IsFalse("UTF-8") from error
    try:
        return read_version_1(Reader(text))
    except IsFalse:
        if later_version(text):
            raise NotChecked("a later format") from None
        raise


def later_version(text: str) -> bool:
    try:
        value = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    version = value.get("v") if isinstance(value, dict) else None
    return type(version) is int and 2 <= version <= NUMBER_MAX


def read_version_1(reader: Reader) -> dict[str, Any]:
    reader.take('{"type":')
    kind = reader.string()
    entry: dict[str, Any] = {"type": kind}
    if kind == "call":
        reader.take(',"call":{"userId":')
        entry["userId"] = None if reader.maybe("null") else reader.string()
        reader.take(',"methodName":')
        entry["methodName"] = reader.string()
        reader.take(',"args":')
        entry["args"] = reader.raw()
        read_time(reader, entry)
        reader.take("}")
    elif kind in {"init", "restart", "upgrade"}:
        read_start(reader, entry)
    else:
        raise IsFalse("a type")
    reader.take(',"result":')
    entry["result"] = read_result(reader)
    reader.take("}\n")
    if reader.at != len(reader.text):
        raise IsFalse("more than an entry")
    if "args" in entry and re.search(r"[ \t\r\n]", QUOTED.sub("", entry["args"])):
        raise IsFalse("white space in args")
    return entry


def read_start(reader: Reader, entry: dict[str, Any]) -> None:
    reader.take(',"v":1')
    if entry["type"] != "restart":
        reader.take(',"code":')
        entry["code"] = reader.string()
    if entry["type"] == "init":
        for name in ("filesArchiveUrl", "contentKey", "title"):
            reader.take(f',"{name}":')
            entry[name] = reader.string()
        reader.take(',"debug":')
        entry["debug"] = reader.boolean()
    reader.take(',"engine":')
    entry["engine"] = reader.string()
    reader.take(',"hostApi":')
    entry["hostApi"] = reader.number()
    reader.take(',"limits":')
    entry["limits"] = limits = {}
    for position, name in enumerate(LIMITS):
        reader.take(f'{"," if position else "{"}"{name}":')
        limits[name] = reader.number()
    reader.take("}")
    read_time(reader, entry)


def read_time(reader: Reader, entry: dict[str, Any]) -> None:
    reader.take(',"time":')
    entry["time"] = reader.number()
    if reader.maybe(',"seed":'):
        entry["seed"] = reader.string()


def read_result(reader: Reader) -> dict[str, Any]:
    result: dict[str, Any] = {}
    reader.take("{")
    for name in ("res", "err"):
        if reader.maybe(f'"{name}":'):
            result[name] = reader.raw()
            reader.take(",")
    reader.take('"gas":')
    result["gas"] = reader.number()
    if reader.maybe(',"changes":['):
        result["changes"] = [read_change(reader)] if not reader.maybe("]") else []
        while result["changes"] and not reader.maybe("]"):
            reader.take(",")
            result["changes"].append(read_change(reader))
    reader.take(',"filesVersion":')
    result["filesVersion"] = reader.number()
    if reader.maybe(',"filesRoot":'):
        result["filesRoot"] = reader.string()
    reader.take("}")
    return result


def read_change(reader: Reader) -> dict[str, Any]:
    reader.take('{"path":')
    change: dict[str, Any] = {"path": reader.string()}
    reader.take(',"kind":')
    change["kind"] = reader.string()
    if reader.maybe(',"size":'):
        change["size"] = reader.number()
    if reader.maybe(',"sha256":'):
        change["sha256"] = reader.string()
    if reader.maybe(',"block":'):
        change["block"] = reader.number()
    reader.take("}")
    return change


def depth(text: str) -> int:
    deepest = now = 0
    for character in QUOTED.sub("", text):
        now += (character in "[{") - (character in "]}")
        deepest = max(deepest, now)
    return deepest
