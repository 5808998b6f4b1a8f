"""What SQLite passes over in silence: commits in a damaged write-ahead log.

After a crash SQLite takes from the log what is whole, up to the first frame that is not, and forgets the rest. That is right for a
transaction that was being written, whose frames may have reached the disk in part. It is wrong where a frame of an older one is damaged:
every later commit, though stored and acknowledged, would be gone without a word. The two can be told apart, since a commit is synchronised
before the next one begins: past the point where SQLite stops there can be the end of one transaction of this log, never of two.

Format: https://www.sqlite.org/walformat.html, sections 1.1 and 4.1 (in the index, the number of usable frames is at byte 16).
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">4xI8s8x")
_OWN_PAGE_SIZE = 4096
_BIG_ENDIAN_SUMS = 0x377F0683
_USABLE = struct.Struct("=I")
_USABLE_AT = 16


def unreachable_commits(log: Path, index: Path) -> int:
    """How many commits the log holds that SQLite cannot reach, 0 for a torn last one. Call it while the database is open."""
    with log.open("rb") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return 0
        whole = _is_whole(head)
        commits = [number for number, salts in _commits(file, _page_size(head)) if salts == head[16:24] or not whole]
    if not whole:
        return len(commits)
    with index.open("rb") as file:
        file.seek(_USABLE_AT)
        usable = _USABLE.unpack(file.read(_USABLE.size))[0]
    beyond = sum(1 for number in commits if number > usable)
    return beyond if beyond > 1 else 0


def _is_whole(head: bytes) -> bool:
    """Whether the log's header has the checksum that it says. One that has not makes SQLite ignore the whole log."""
    order = ">" if int.from_bytes(head[:4], "big") == _BIG_ENDIAN_SUMS else "<"
    words = struct.unpack(f"{order}6I", head[:24])
    first = second = 0
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return struct.unpack(">2I", head[24:]) == (first, second)


def _page_size(head: bytes) -> int:
    """Bytes of a page; that of the engine's own files, where the header does not say."""
    size = int.from_bytes(head[8:12], "big")
    return size if _is_whole(head) else _OWN_PAGE_SIZE


def _commits(file: BinaryIO, page_size: int) -> Iterator[tuple[int, bytes]]:
    """Number and salts of every frame that ends a transaction, of this log or of the one that was there before it."""
    for number in itertools.count(1):
        header = file.read(_FRAME.size)
        if len(header) < _FRAME.size:
            return
        pages, salts = _FRAME.unpack(header)
        if pages:
            yield number, salts
        file.seek(page_size, io.SEEK_CUR)
