"""What a file operation costs in gas (part of host API 1).

One unit of gas is one instruction of the guest, of which the engine runs about 1e10 a second, so a
price is about the tenths of a nanosecond that the work takes, rounded up. A charge is made before
the work that it pays for, and depends only on the request and on the files, never on what is
cached or waits for the disk. In this order:

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

REQUEST: Final = 50_000
REQUEST_BYTE: Final = 10
COMPONENT: Final = 15_000
READ_BYTE: Final = 6
WRITE_BYTE: Final = 12
NAME: Final = 25_000
STAT: Final = 10_000
CHANGE: Final = 500_000
