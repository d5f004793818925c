"""Which calls an honest host runs, whatever comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from nodevms.json_text import deeper_than
from nodevms.vm.callers import is_key_shaped
from nodevms.vm.entries import JSON_DEPTH_MAX

Problem: TypeAlias = tuple[str, str, object]
"""A field of a call, what would fit there, and what is there."""


@dataclass(frozen=True, slots=True)
class CallRules:
    """The rules of one epoch.

    Attributes:
        methods: The functions that the script exported, each with whether it is read-only.
        debug: Whether callers may name themselves.
        args_bytes: The most that arguments may have.
    """

    methods: Mapping[str, bool] = field(default_factory=dict)
    debug: bool = False
    args_bytes: int = 0

    def problem(
        self, method: str, caller: str | None, arguments: bytes, *, readonly: bool
    ) -> Problem | None:
        """Name what an honest host would not have run; None when it would.

        Args:
            method: What is called.
            caller: Who calls.
            arguments: JSON text.
            readonly: Whether it is said to be a read-only call, and not a logged one.
        """
        if method not in self.methods:
            return "methodName", "an exported function", method
        if self.methods[method] != readonly:
            kind = "a read-only method" if readonly else "a method that is not read-only"
            return "methodName", kind, method
        if caller is not None and not self.debug:
            return "userId", "nobody, for the call is not signed", caller
        if caller is not None and is_key_shaped(caller):
            return "userId", "no key, for the call is not signed", caller
        if (
            arguments[:1] != b"["
            or len(arguments) > self.args_bytes
            or deeper_than(arguments, JSON_DEPTH_MAX)
        ):
            return "args", "an array within the limits", arguments
        return None
