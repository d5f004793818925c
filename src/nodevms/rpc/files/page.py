"""Folders and refusals for people: small pages without scripts, of which no name is markup."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from typing import Final

from nodevms.archive.paths import ROOT
from nodevms.rpc.files.address import Address, link
from nodevms.vm.dat_archive_values import DatArchiveInfo, FileStat, FolderPage

_STYLE: Final = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.25rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: 600 }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top }
td:first-child { overflow-wrap: anywhere; white-space: pre-wrap }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.t { white-space: nowrap; font-variant-numeric: tabular-nums }
footer { margin-top: 2rem; font-size: .875rem; overflow-wrap: anywhere }
"""
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
PAGE_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy of these pages: they run and load nothing."""

_LATEST_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, where datetime ends


def folder_page(info: DatArchiveInfo, newest: int, address: Address, page: FolderPage) -> bytes:
    """Return the HTML of one page of a folder.

    Args:
        info: What is shown.
        newest: The newest filesVersion.
        address: What was asked for.
        page: What is in the folder.
    """
    path = address.path if address.path == ROOT else f"{address.path}/"
    body = "\n".join(
        (
            f"<h1><bdi>{escape(info.title)}</bdi>: <bdi>{escape(path)}</bdi></h1>",
            f"<nav>{' · '.join(_versions(info.version, newest, address))}</nav>",
            "<table>",
            '<tr><th>name</th><th class="n">bytes</th><th>changed (UTC)</th></tr>',
            *_rows(address, page),
            "</table>",
            *_after(address, page),
            f'<footer>The files of <a href="{escape(info.url)}">{escape(info.url)}</a>. '
            f'<a href="{escape(address.query(format="json"))}">This folder as JSON</a>.</footer>',
        )
    )
    return _page(f"{path} - {info.title}", body)


def refusal_page(status: int, sentence: str, to_root: str | None) -> bytes:
    """Return the HTML that says why there is nothing to see.

    Args:
        status: The HTTP status.
        sentence: Why.
        to_root: Relative URL of the root folder, if one can be given.
    """
    way = f'\n<p><a href="{escape(to_root)}">All files</a></p>' if to_root else ""
    return _page(f"{status}", f"<h1>{status}</h1>\n<p>{escape(sentence)}</p>{way}")


def _page(title: str, body: str) -> bytes:
    head = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
    )
    return f"{head}<body>\n{body}\n</body>\n</html>\n".encode()


def _versions(shown: int, newest: int, address: Address) -> Iterator[str]:
    form = "&format=html" if address.format == "html" else ""
    if shown:
        yield f'<a href="?version={shown - 1}{escape(form)}">older</a>'
    yield f"version {shown:,} of the files" + (", the newest" if shown == newest else "")
    if shown < newest:
        yield f'<a href="?version={shown + 1}{escape(form)}">newer</a>'
    if address.version is not None:
        yield f'<a href="./{escape("?format=html" if form else "")}">newest</a>'


def _rows(address: Address, page: FolderPage) -> Iterator[str]:
    here = address.query()
    if address.path != ROOT:
        yield f'<tr><td><a href="../{escape(here)}">../</a></td><td></td><td></td></tr>'
    for name, stat in page.children:
        slash = "/" if stat.is_folder else ""
        href = escape(link(name, is_folder=stat.is_folder) + here)
        size = "" if stat.is_folder else f"{stat.size:,}"
        yield (
            f'<tr><td><a href="{href}"><bdi>{escape(name)}</bdi>{slash}</a></td>'
            f'<td class="n">{size}</td><td class="t">{_time(stat)}</td></tr>'
        )


def _after(address: Address, page: FolderPage) -> Iterator[str]:
    if page.after is not None:
        href = address.query(after=page.after, format=address.format)
        yield f'<p><a href="{escape(href)}">more</a></p>'
    elif not page.children:
        yield "<p>There is nothing here.</p>" if not address.after else "<p>That is all.</p>"


def _time(stat: FileStat) -> str:
    if not 0 <= stat.mtime_ms <= _LATEST_MS:
        return f"{stat.mtime_ms} ms"
    return datetime.fromtimestamp(stat.mtime_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
