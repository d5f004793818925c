"""What is typed at the prompt, rewritten so that the engine's ``eval`` keeps what it declares.

``eval`` forgets ``let``, ``const`` and ``class`` and knows no ``await``. So declarations at the top
become assignments to global names, and what awaits at the top is put into an async function. The
grammar is tree-sitter's; whether the text is correct at all, and where it is not, only the engine
says. `Typed.offset` leads from the engine's positions back to what was typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

FUNCTIONS: Final = frozenset(
    (
        "function_declaration",
        "function_expression",
        "generator_function_declaration",
        "generator_function",
        "arrow_function",
        "method_definition",
        "class_static_block",
        "field_definition",
    )
)
CALLEE_MAX: Final = 80
_FUNCTION_STATEMENTS: Final = ("function_declaration", "generator_function_declaration")
_NAMES: Final = ("identifier", "shorthand_property_identifier_pattern")
_ASYNC_HEAD: Final = b"(async () => { "
_ASYNC_TAIL: Final = b"\n})()"
_LANGUAGE: Final = Language(tree_sitter_javascript.language())


@dataclass(frozen=True, slots=True)
class Typed:
    """One complete input.

    Attributes:
        text: As it was typed, in UTF-8.
        code: What the engine evaluates.
        waits: Whether it awaits something at the top.
        names: The global names that it declares and that the engine would not keep by itself.
        constants: Those of them that are constant.
    """

    text: bytes
    code: bytes
    waits: bool
    names: tuple[str, ...]
    constants: tuple[str, ...]
    _pieces: tuple[tuple[int, int, int], ...] = field(repr=False)

    def offset(self, line: int, column: int) -> int:
        """Return where in the typed text a position of the code is, in bytes.

        Args:
            line: From 1.
            column: In bytes, from 1.
        """
        lines = self.code.split(b"\n")
        offset = sum(len(before) + 1 for before in lines[: line - 1]) + column - 1
        at = 0
        for start, typed_start, size in self._pieces:
            if offset < start:
                break
            at = typed_start + min(offset - start, size)
        return min(at, len(self.text.rstrip()))

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset in the typed text: in characters, from 1."""
        before = self.text[:offset]
        row = before.rpartition(b"\n")[2].decode("utf-8", "replace")
        return before.count(b"\n") + 1, len(row) + 1

    def callee(self, offset: int) -> str:
        """Return the text of the function that is called at an offset; empty for no call."""
        node = (
            Parser(_LANGUAGE).parse(self.text).root_node.descendant_for_byte_range(offset, offset)
        )
        while node is not None and node.type not in ("call_expression", "new_expression"):
            node = node.parent
        function = node and (
            node.child_by_field_name("function") or node.child_by_field_name("constructor")
        )
        text = function.text.decode("utf-8", "replace") if function and function.text else ""
        return text if len(text) <= CALLEE_MAX and "\n" not in text else ""


def read(text: str) -> Typed:
    """Rewrite one input. What does not parse comes back as it is, for the engine to refuse."""
    typed = text.encode("utf-8", "replace")
    parser = Parser(_LANGUAGE)
    if typed.lstrip().startswith(b"{") and not typed.rstrip().endswith(b";"):
        # As in node's prompt: what can be an object is one, and a block otherwise.
        whole = b"(" + typed + b"\n)"
        if not parser.parse(whole).root_node.has_error:
            rewriting = _Rewriting(typed, parser.parse(whole).root_node, shift=1)
            return rewriting.finish(b"(", b"\n)")
    return _Rewriting(typed, parser.parse(typed).root_node).finish()


class _Rewriting:
    def __init__(self, typed: bytes, root: Node, *, shift: int = 0) -> None:
        self._typed = typed
        self._shift = shift  # bytes that the parsed text has before the typed one
        self._edits: list[tuple[int, int, bytes]] = []
        self._names: dict[str, None] = {}
        self._constants: dict[str, None] = {}
        self._functions: list[bytes] = []
        self._waits = any(_is_await(node) for node in _own_nodes(root))
        self._rewrite(root)

    def finish(self, opening: bytes = b"", closing: bytes = b"") -> Typed:
        head, tail = opening, closing
        if self._waits and opening:
            head, tail = _ASYNC_HEAD + b"return " + opening, closing + _ASYNC_TAIL
        elif self._waits:
            kept = b"".join(b"globalThis.%b = %b; " % (name, name) for name in self._functions)
            head, tail = _ASYNC_HEAD + kept, _ASYNC_TAIL
        code, pieces, at = bytearray(head), [], 0
        for start, end, replacement in sorted(self._edits):
            pieces.append((len(code), at, start - at))
            code += self._typed[at:start] + replacement
            at = end
        pieces.append((len(code), at, len(self._typed) - at))
        code += self._typed[at:] + tail
        names, constants = tuple(self._names), tuple(self._constants)
        return Typed(self._typed, bytes(code), self._waits, names, constants, tuple(pieces))

    def _rewrite(self, root: Node) -> None:
        for node in root.children:
            if node.type == "lexical_declaration":
                self._declare(node)
            elif node.type == "class_declaration":
                self._name_class(node)
            elif node.type in _FUNCTION_STATEMENTS and self._waits:
                name = node.child_by_field_name("name")
                self._functions += [] if name is None or name.text is None else [name.text]
        if self._waits:
            for node in _own_nodes(root):
                if node.type == "variable_declaration":
                    self._declare(node)
                elif node.type == "for_in_statement":
                    self._free_loop_variable(node)
            self._return_last(root)

    def _declare(self, node: Node) -> None:
        """``const a = 1, {b} = c`` becomes ``void (a = 1, {b} = c)``."""
        keyword = node.children[0]
        declarators = [child for child in node.children if child.type == "variable_declarator"]
        if node.has_error or not declarators:
            return
        names = [name for child in declarators for name in _bound_names(child)]
        self._names.update(dict.fromkeys(names))
        if keyword.type == "const":
            self._constants.update(dict.fromkeys(names))
        self._edit(keyword.start_byte, keyword.end_byte, b"void (")
        for child in declarators:
            if keyword.type != "var" and child.child_by_field_name("value") is None:
                self._edit(child.end_byte, child.end_byte, b" = void 0")
        self._edit(declarators[-1].end_byte, declarators[-1].end_byte, b")")

    def _name_class(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        if node.has_error or name is None or name.text is None:
            return
        self._names[name.text.decode()] = None
        self._edit(node.start_byte, node.start_byte, b"void (" + name.text + b" = ")
        self._edit(node.end_byte, node.end_byte, b");")

    def _free_loop_variable(self, node: Node) -> None:
        """``for (var x of y)`` becomes ``for (x of y)``."""
        kind, left = node.child_by_field_name("kind"), node.child_by_field_name("left")
        if kind is None or kind.type != "var" or left is None:
            return
        self._names.update(dict.fromkeys(_names_in(left)))
        self._edit(kind.start_byte, kind.end_byte, b"")

    def _return_last(self, root: Node) -> None:
        statements = [child for child in root.children if child.type != "comment"]
        if self._shift or not statements or statements[-1].type != "expression_statement":
            return
        expression = statements[-1].children[0]
        self._edit(expression.start_byte, expression.start_byte, b"return (")
        self._edit(expression.end_byte, expression.end_byte, b")")

    def _edit(self, start: int, end: int, replacement: bytes) -> None:
        self._edits.append((start - self._shift, end - self._shift, replacement))


def _own_nodes(root: Node) -> Iterator[Node]:
    """Walk a tree without entering functions and classes' members."""
    waiting = list(reversed(root.children))
    while waiting:
        node = waiting.pop()
        yield node
        if node.type not in FUNCTIONS:
            waiting.extend(reversed(node.children))


def _is_await(node: Node) -> bool:
    # `await (x)` and `await [x]` are read as a call and a member of something named await.
    return node.type in ("await", "await_expression") or (
        node.type == "identifier" and node.text == b"await"
    )


def _bound_names(declarator: Node) -> Iterator[str]:
    pattern = declarator.child_by_field_name("name")
    return iter(()) if pattern is None else _names_in(pattern)


def _names_in(pattern: Node) -> Iterator[str]:
    """Yield the names that a pattern binds; its default values and computed keys bind none."""
    if pattern.type in _NAMES and pattern.text is not None:
        yield pattern.text.decode()
    elif pattern.type in ("assignment_pattern", "object_assignment_pattern"):
        yield from _names_in(pattern.children[0])
    elif pattern.type == "pair_pattern":
        yield from _names_in(pattern.children[-1])
    elif pattern.type in ("object_pattern", "array_pattern", "rest_pattern"):
        for child in pattern.named_children:
            yield from _names_in(child)
