"""What a file is, by its name's ending: the same on every machine.

Ours go first; for other endings the standard library's own table is asked, without the files of
the operating system that it would read as well. A file whose ending says nothing, such as the
tutorial's ``/counter``, is plain text if its beginning is, and bytes otherwise.
"""

from __future__ import annotations

import codecs
import re
from mimetypes import MimeTypes
from types import MappingProxyType
from typing import Final

TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"

_OURS: Final = {
    **dict.fromkeys(("txt", "log", "text", "ini", "conf", "toml", "diff", "patch"), "text/plain"),
    **dict.fromkeys(("js", "mjs", "cjs"), "text/javascript"),
    **dict.fromkeys(("html", "htm"), "text/html"),
    **dict.fromkeys(("md", "markdown"), "text/markdown"),
    **dict.fromkeys(("json", "map"), "application/json"),
    **dict.fromkeys(("jpg", "jpeg"), "image/jpeg"),
    **dict.fromkeys(("yaml", "yml"), "application/yaml"),
    **{"css": "text/css", "csv": "text/csv", "tsv": "text/tab-separated-values"},
    **{"xml": "application/xml", "xhtml": "application/xhtml+xml", "svg": "image/svg+xml"},
    **{"jsonld": "application/ld+json", "geojson": "application/geo+json"},
    **{"webmanifest": "application/manifest+json", "wasm": "application/wasm"},
    **{"atom": "application/atom+xml", "rss": "application/rss+xml", "ics": "text/calendar"},
    **{"png": "image/png", "gif": "image/gif", "webp": "image/webp", "avif": "image/avif"},
    **{"ico": "image/x-icon", "bmp": "image/bmp", "jxl": "image/jxl", "heic": "image/heic"},
    **{"mp3": "audio/mpeg", "m4a": "audio/mp4", "ogg": "audio/ogg", "opus": "audio/ogg"},
    **{"wav": "audio/wav", "flac": "audio/flac", "mp4": "video/mp4", "webm": "video/webm"},
    **{"mov": "video/quicktime", "mkv": "video/x-matroska", "pdf": "application/pdf"},
    **{"woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf"},
    **{"zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar"},
    **{"bz2": "application/x-bzip2", "xz": "application/x-xz", "zst": "application/zstd"},
    **{"7z": "application/x-7z-compressed", "epub": "application/epub+zip", "bin": BYTES},
}
_TYPES: Final = MappingProxyType(
    {ending.lstrip("."): kind for ending, kind in MimeTypes().types_map[True].items()} | _OURS
)
_IS_TEXT: Final = re.compile(r"text/|application/(?:json|xml|yaml|javascript)$|.*\+(?:json|xml)$")
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def type_of_name(name: str) -> str | None:
    """Return the content type that a file's name stands for, with its charset; None for none."""
    stem, dot, ending = name.rpartition(".")
    kind = _TYPES.get(ending.lower()) if dot and stem else None
    if kind is None:
        return None
    return f"{kind}; charset=utf-8" if _IS_TEXT.match(kind) else kind


def type_of_content(start: bytes) -> str:
    """Return the type of a file whose name says nothing.

    Args:
        start: Its first bytes, at most 65,536; they may end within a character.
    """
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return BYTES
    return BYTES if _NO_TEXT.search(text) else TEXT
