"""What a file operation costs in gas (part of host API 1).

One unit of gas is one instruction of the guest, of which the engine runs about 1e9 a second, so a
price is about the nanoseconds that the work takes on a slow machine, rounded up. A charge is made
before the work that it pays for, and depends only on the request and on the files, never on what
is cached or waits for the disk. In this order:

    REQUEST + REQUEST_BYTE x bytes of the request      parsing and copying
    COMPONENT x components of each path                finding it
    READ_BYTE x size                                   readFile: reading, hashing, copying
    WRITE_BYTE x size                                  writeFile: hashing twice, storing, publishing
    NAME                                               each name looked at by readdir, history, and
                                                       by rmdir, copy and rename of folders
    STAT                                               more for each that is answered with a stat
    CHANGE                                             each path put or deleted: tree, index, log

Names that the call itself touched in a folder, deleted ones included, cost another NAME each when
the folder is listed or checked for emptiness.
"""

from __future__ import annotations

from typing import Final

REQUEST: Final = 10_000
REQUEST_BYTE: Final = 1
COMPONENT: Final = 3_000
READ_BYTE: Final = 2
WRITE_BYTE: Final = 4
NAME: Final = 3_000
STAT: Final = 2_000
CHANGE: Final = 100_000
