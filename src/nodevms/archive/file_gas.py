"""What a file operation costs in gas (part of host API 1).

A unit is priced at about a nanosecond of the work, rounded up: the guest's own instructions take a
tenth of that where all that they touch is in the processor's caches, and three times as much where
none of it is. A charge is made before the work that it pays for, and depends only on the request
and on the files, never on what is cached or waits for the disk. In this order:

    REQUEST + REQUEST_BYTE x bytes of the request      parsing and copying
    COMPONENT x components of each path                finding it
    READ_BYTE x size                                   readFile: reading, hashing, copying
    WRITE_BYTE x size                                  writeFile: hashing twice, storing, publishing
    NAME                                               each name looked at by readdir, history, and
                                                       by copy, rename and recursive rmdir of
                                                       folders, and one for a check for emptiness
    STAT                                               more for each that is answered with a stat
    NAME_BYTE x (bytes of the name or path + 16)       more for each that readdir answers
    COMPONENT x components of the path                 more for each that history answers
    CHANGE                                             each path put or deleted: tree, index, log

Names that the call itself touched in a folder, deleted ones included, cost another NAME each when
the folder is listed or checked for emptiness.
"""

from __future__ import annotations

from typing import Final

REQUEST: Final = 10_000
REQUEST_BYTE: Final = 10
COMPONENT: Final = 10_000
READ_BYTE: Final = 4
WRITE_BYTE: Final = 12
NAME: Final = 5_000
NAME_BYTE: Final = 20
STAT: Final = 5_000
CHANGE: Final = 100_000
