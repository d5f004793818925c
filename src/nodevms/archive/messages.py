"""The protobuf messages of a hyperdrive 9 metadata feed: Index, Node and Stat.

Google's library does the wire format. Three promises are added here, because these bytes are
signed and compared for ever: a field that hyperdrive writes is written even when it is zero,
fields stand in ascending order, and bytes that came from outside either decode within the bounds
below or raise `BadDriveError`.

Spec: hyperdrive 9 as deployed; field 17 of Node is ours and skipped by every other reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from nodevms.archive.drive_errors import BadDriveError

MARKER_FIELD = 17
"""Field of Node in which a publication's last node carries the call log's length."""

INTEGER_MAX = 2**53 - 1
"""Largest integer that a reader in JavaScript holds exactly; larger ones are refused."""

_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES: dict[str, tuple[tuple[int, str, _FIELD.Type.ValueType], ...]] = {
    "Index": ((1, "type", _FIELD.TYPE_BYTES), (2, "content", _FIELD.TYPE_BYTES)),
    "Node": (
        (1, "name", _FIELD.TYPE_BYTES),
        (2, "value", _FIELD.TYPE_BYTES),
        (3, "paths", _FIELD.TYPE_BYTES),
        (MARKER_FIELD, "marker", _FIELD.TYPE_UINT64),
    ),
    "Stat": (
        (1, "mode", _FIELD.TYPE_UINT64),
        (2, "uid", _FIELD.TYPE_UINT64),
        (3, "gid", _FIELD.TYPE_UINT64),
        (4, "size", _FIELD.TYPE_UINT64),
        (5, "blocks", _FIELD.TYPE_UINT64),
        (6, "offset", _FIELD.TYPE_UINT64),
        (7, "byte_offset", _FIELD.TYPE_UINT64),
        (8, "mtime", _FIELD.TYPE_UINT64),
        (9, "ctime", _FIELD.TYPE_UINT64),
    ),
}


def _message_class(name: str) -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name=f"nodevms/drive/{name}.proto", package="nodevms.drive", syntax="proto2"
    )
    message = file.message_type.add(name=name)
    for number, field, kind in _MESSAGES[name]:
        message.field.add(number=number, name=field, type=kind, label=_FIELD.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"nodevms.drive.{name}"))


_Index: Any = _message_class("Index")
_Node: Any = _message_class("Node")
_Stat: Any = _message_class("Stat")

FILE_TYPE = 0o100000
FOLDER_TYPE = 0o040000


@dataclass(frozen=True, slots=True)
class Stat:
    """What a drive says about one file or folder.

    Attributes:
        mode: Unix mode with the file type.
        size: Content length in bytes.
        blocks: How many blocks of the content feed hold it.
        offset: The first of these blocks.
        byte_offset: Byte length of the content feed before that block.
        mtime_ms: Modification time, milliseconds since 1970.
        ctime_ms: Creation time, as hyperdrive writes it: that of this version.
        uid: Owner.
        gid: Group.
    """

    mode: int
    size: int = 0
    blocks: int = 0
    offset: int = 0
    byte_offset: int = 0
    mtime_ms: int = 0
    ctime_ms: int = 0
    uid: int = 0
    gid: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder, by the bits that hyperdrive looks at."""
        return self.mode & FOLDER_TYPE == FOLDER_TYPE

    def encode(self) -> bytes:
        """Return the bytes that hyperdrive 9 writes for this stat.

        A folder's owner, group, size and blocks are left out when zero; a file's never are.
        """
        message = _Stat(mode=self.mode)
        keep_zeros = not self.is_folder
        for name, value in (
            ("uid", self.uid),
            ("gid", self.gid),
            ("size", self.size),
            ("blocks", self.blocks),
        ):
            if value or keep_zeros:
                setattr(message, name, value)
        message.offset = self.offset
        message.byte_offset = self.byte_offset
        message.mtime = self.mtime_ms
        message.ctime = self.ctime_ms
        return bytes(message.SerializeToString(deterministic=True))

    @classmethod
    def decode(cls, data: bytes, *, seq: int) -> Stat:
        """Read a node's value.

        Args:
            data: Bytes from outside.
            seq: The metadata block that they stand in, for the error.

        Raises:
            BadDriveError: They are no Stat, have no mode, or an integer is out of bounds.
        """
        message = _parse(_Stat, data, seq)
        if not message.HasField("mode"):
            raise BadDriveError("its stat has no mode", seq=seq)
        stat = cls(
            mode=message.mode,
            size=message.size,
            blocks=message.blocks,
            offset=message.offset,
            byte_offset=message.byte_offset,
            mtime_ms=message.mtime,
            ctime_ms=message.ctime,
            uid=message.uid,
            gid=message.gid,
        )
        numbers = (stat.mode, stat.size, stat.blocks, stat.offset, stat.byte_offset)
        if max(*numbers, stat.mtime_ms, stat.ctime_ms, stat.uid, stat.gid) > INTEGER_MAX:
            raise BadDriveError("a number in its stat is too large", seq=seq)
        return stat


@dataclass(frozen=True, slots=True)
class NodeMessage:
    """One append-tree node as it stands in a block.

    Attributes:
        name: UTF-8 path, beginning with a slash.
        value: An encoded Stat, or None for a deletion.
        paths: The encoded sibling lists.
        marker: Call-log length that the publication ending here reflects, if it ends here.
    """

    name: bytes
    value: bytes | None
    paths: bytes
    marker: int | None = None

    def encode(self) -> bytes:
        """Return the block."""
        message = _Node(name=self.name, paths=self.paths)
        if self.value is not None:
            message.value = self.value
        if self.marker is not None:
            message.marker = self.marker
        return bytes(message.SerializeToString(deterministic=True))

    @classmethod
    def decode(cls, block: bytes, *, seq: int) -> NodeMessage:
        """Read a metadata block.

        Raises:
            BadDriveError: It is no Node, or lacks name or paths, or its marker is too large.
        """
        message = _parse(_Node, block, seq)
        if not message.HasField("name") or not message.HasField("paths"):
            raise BadDriveError("the node has no name or no paths", seq=seq)
        marker = message.marker if message.HasField("marker") else None
        if marker is not None and marker > INTEGER_MAX:
            raise BadDriveError("the marker is too large", seq=seq)
        value = message.value if message.HasField("value") else None
        return cls(message.name, value, message.paths, marker)


def encode_index(content_key: bytes) -> bytes:
    """Return metadata block 0, which names the content feed.

    Args:
        content_key: The content feed's public key, 32 bytes.
    """
    return bytes(_Index(type=b"hyperdrive", content=content_key).SerializeToString())


def decode_index(block: bytes) -> bytes:
    """Return the content feed's public key from metadata block 0.

    Raises:
        BadDriveError: The block is not a drive's header.
    """
    message = _parse(_Index, block, 0)
    if message.type != b"hyperdrive" or len(message.content) != 32:
        raise BadDriveError("not the header of a hyperdrive", seq=0)
    return bytes(message.content)


def _parse(message_class: Any, data: bytes, seq: int) -> Any:
    try:
        return message_class.FromString(data)
    except DecodeError as error:
        raise BadDriveError("not a protobuf message", seq=seq) from error
