"""The archive of a certificate: a plain zip file, and nothing that a zip file can hold beyond that.

Python's ``zipfile`` reads what other programs read in other ways: it skips what stands before, behind and between the
entries, and believes a directory that announces millions of them. Here every byte is accounted for.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from subtx_toy.certify.checker.limits import MAX_BYTES, MAX_MEMBERS, MAX_NAME
from subtx_toy.certify.checker.rejected import Rejected

_END, _ENTRY, _LOCAL = b"PK\5\6", b"PK\1\2", b"PK\3\4"
_END_FORMAT, _ENTRY_FORMAT, _LOCAL_FORMAT = (
    struct.Struct("<4s4H2IH"),
    struct.Struct("<4s6H3I5H2I"),
    struct.Struct("<4s5H3I2H"),
)
_STORED, _DEFLATED = 0, 8
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_MARKS = {0: "nothing", 1: "an encrypted entry", 8: "an entry whose size comes after it"}


class _Member(NamedTuple):
    name: str
    method: int
    checksum: int
    packed: int
    size: int
    offset: int


def unpack(content: bytes) -> dict[str, bytes]:
    """Return the entries of an archive by name.

    Raises:
        Rejected: for anything but stored or deflated entries with plain names, one behind the other, then their
            directory, and nothing else; for more than the limits allow.
    """
    if len(content) > MAX_BYTES:
        raise Rejected(f"the file has {len(content)} bytes, more than {MAX_BYTES}")
    members, start = _directory(content)
    if len({member.name for member in members}) < len(members):
        raise Rejected("the archive holds two entries of one name")
    if (size := sum(member.size for member in members)) > MAX_BYTES:
        raise Rejected(f"the archive announces {size} bytes, more than {MAX_BYTES}")
    found, place = {}, 0
    for member in sorted(members, key=lambda one: one.offset):
        if member.offset != place:
            raise Rejected(f"there are bytes of no entry, or shared ones, before the entry {member.name!r}")
        found[member.name], place = _unpacked(content, member)
    if place != start:
        raise Rejected("there are bytes of no entry before the directory of the archive")
    return found


def _directory(content: bytes) -> tuple[list[_Member], int]:
    if len(content) < _END_FORMAT.size or content[:4] != _LOCAL:
        raise Rejected("not a readable archive: it does not begin with an entry of a zip file")
    mark, disk, disk_of_directory, here, total, size, start, comment = _END_FORMAT.unpack(content[-_END_FORMAT.size :])
    if mark != _END or comment:
        raise Rejected("not a readable archive: it is damaged, has a comment, or bytes follow its end")
    if disk or disk_of_directory or here != total or total == 0xFFFF or 0xFFFFFFFF in (size, start):
        raise Rejected("not a readable archive: it has several parts or 64-bit sizes")
    if total > MAX_MEMBERS:
        raise Rejected(f"the archive holds {total} entries, more than {MAX_MEMBERS}")
    place, end = start, len(content) - _END_FORMAT.size
    if start + size != end:
        raise Rejected("not a readable archive: its directory is not where its end says")
    members = []
    for _ in range(total):
        if place + _ENTRY_FORMAT.size > end:
            raise Rejected("not a readable archive: its directory breaks off")
        (mark, _, _, flags, method, _, _, checksum, packed, unpacked, length, extra, remark, disk, _, _, offset) = (
            _ENTRY_FORMAT.unpack_from(content, place)
        )  # fmt: skip
        place += _ENTRY_FORMAT.size
        if mark != _ENTRY or place + length > end:
            raise Rejected("not a readable archive: its directory is damaged")
        name = _name(content[place : place + length])
        place += length
        if extra or remark or disk or 0xFFFFFFFF in (packed, unpacked, offset):
            raise Rejected(f"the entry {name!r} of the archive has a comment, a second part or 64-bit sizes")
        if flags:
            raise Rejected(f"the archive holds {_MARKS.get(flags & 9, 'an entry with unknown marks')}: {name!r}")
        if method not in (_STORED, _DEFLATED):
            raise Rejected(f"the entry {name!r} of the archive is packed in an unknown way")
        members.append(_Member(name, method, checksum, packed, unpacked, offset))
    if place != end:
        raise Rejected("not a readable archive: its directory holds more than its entries")
    return members, start


def _name(raw: bytes) -> str:
    if not raw or len(raw) > MAX_NAME or not _PLAIN.issuperset(raw):
        raise Rejected(f"an entry of the archive has a name that no certificate has: {raw[:MAX_NAME]!r}")
    return raw.decode("ascii")


def _unpacked(content: bytes, member: _Member) -> tuple[bytes, int]:
    try:
        mark, _, flags, method, _, _, checksum, packed, size, length, extra = _LOCAL_FORMAT.unpack_from(
            content, member.offset
        )
    except struct.error:
        raise Rejected(f"the archive breaks off before the entry {member.name!r}") from None
    begin = member.offset + _LOCAL_FORMAT.size + length + extra
    name = content[member.offset + _LOCAL_FORMAT.size : member.offset + _LOCAL_FORMAT.size + length]
    announced = (member.method, member.checksum, member.packed, member.size, member.name.encode())
    if mark != _LOCAL or flags or extra or (method, checksum, packed, size, name) != announced:
        raise Rejected(f"the entry {member.name!r} and the directory of the archive contradict one another")
    raw = content[begin : begin + packed]
    if member.method == _DEFLATED:
        raw = _inflated(raw, member)
    if len(raw) != size or zlib.crc32(raw) != checksum:
        raise Rejected(f"the entry {member.name!r} of the archive is damaged: its length or checksum does not fit")
    return raw, begin + packed


def _inflated(raw: bytes, member: _Member) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = stream.decompress(raw, member.size + 1)  # never more than was announced, whatever the ratio
    except zlib.error as error:
        raise Rejected(f"the entry {member.name!r} of the archive is damaged: {error}") from None
    if not stream.eof or stream.unused_data or len(found) != member.size:
        raise Rejected(f"the entry {member.name!r} of the archive does not unpack to the bytes that it announces")
    return found
