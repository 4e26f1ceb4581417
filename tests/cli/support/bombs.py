#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Archives that are made to cost: bombs.py DIRECTORY. Those in DIRECTORY/never must never be
called clean; what DIRECTORY/fine holds must."""

import io
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

MIB = 1 << 20


def zipped(members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members:
            z.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return out.getvalue()


def gzipped(data, name=b"a\0"):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    return (b"\x1f\x8b\x08\x08" + bytes(5) + b"\x03" + name + body +
            struct.pack("<II", zlib.crc32(data), len(data) & 0xffffffff))


def tarred(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as t:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def million_to_one():
    """A zip of a zip: zeros pack about 1000 to 1, twice."""
    inner = zipped([("zeros", bytes(200 * MIB))])
    return zipped([("a.zip", inner), ("b.zip", inner + b"x")])


def nested(depth):
    data = b"the bottom"
    for _ in range(depth):
        data = zipped([("a", data)], zipfile.ZIP_STORED)
    return data


def quoted_overlap(count, size):
    """Every member's data holds the next one's header, as a stored block, and all end in
    one kernel: the output grows with the square of the size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = packer.compress(bytes(size)) + packer.flush()
    crc_tail = bytes(size)
    tail, entries = b"", []
    plain_tail = b""
    for i in reversed(range(count)):
        name = b"f%04d" % i
        quoted = b"" if not tail else b"\0" + struct.pack(
            "<HH", len(entries[-1][1]), len(entries[-1][1]) ^ 0xffff)
        data_size = len(quoted) + len(tail) + len(kernel)
        plain_tail = (entries[-1][1] if entries else b"") + plain_tail
        crc = zlib.crc32(plain_tail + crc_tail)
        plain = len(plain_tail) + size
        header = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0x21, crc, data_size,
                             plain, len(name), 0) + name
        tail = header + quoted + tail
        entries.append((name, header, crc, data_size, plain, len(tail)))
    body = tail + kernel
    directory = b""
    for name, _, crc, data_size, plain, from_end in reversed(entries):
        directory += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0x21, crc,
                                 data_size, plain, len(name), 0, 0, 0, 0, 0,
                                 len(tail) - from_end) + name
    return body + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count,
                                          len(directory), len(body), 0)


class Bits:
    def __init__(self):
        self.bits = []

    def low_first(self, value, n):
        self.bits += [value >> i & 1 for i in range(n)]

    def code(self, value, n):
        self.bits += [value >> i & 1 for i in reversed(range(n))]

    def bytes(self):
        return bytes(sum(b << k for k, b in enumerate(self.bits[i:i + 8]))
                     for i in range(0, len(self.bits), 8))


def literal(n):
    """A stored block of n bytes follows."""
    return b"\0" + struct.pack("<HH", n, n ^ 0xffff)


def repeat(n):
    """The last n bytes (17 to 20) once more, in exactly five bytes."""
    out = Bits()
    out.low_first(0b010, 3)
    for length in (10, n - 10):
        out.code(length - 2, 7)  # codes 257 to 264
        out.code(8, 5)  # distances 17 to 24
        out.low_first(n - 17, 3)
    out.code(0, 7)
    return out.bytes()


def quine():
    """A gzip file that unpacks to itself (its checksum is wrong)."""
    prefix = b"\x1f\x8b\x08\x08" + bytes(5) + b"\x03a\0"
    suffix = b"\1\0\0\xff\xff" + bytes(8)
    p, s = len(prefix) + 5, len(suffix) + 5
    lp, rp, ls, rs = literal(p), repeat(p), literal(s), repeat(s)
    l0, l1, l4, r4 = literal(0), literal(5), literal(20), repeat(20)
    made = (prefix + lp + prefix + lp + rp + l1 + rp + l1 + l1 + l4 + rp + l1 + l1 + l4 +
            r4 + l4 + r4 + l4 + r4 + l4 + r4 + l4 + r4 + l0 + l0 + ls + r4 + l0 + l0 + ls +
            rs + suffix + rs + suffix)
    unpacked = zlib.decompressobj(-15).decompress(made[len(prefix):])
    assert unpacked == made, "no quine"
    return made


def encrypted():
    """A zip member that says it is encrypted, with bytes no password of ours opens."""
    data = bytearray(zipped([("secret", bytes(range(256)) * 4)], zipfile.ZIP_STORED))
    data[6] |= 1
    data[data.find(b"PK\1\2") + 8] |= 1
    return bytes(data)


def hole(size):
    """A tar with a sparse file of nothing but a hole."""
    info = tarfile.TarInfo("hole")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156] = ord("S")
    header[482] = 0
    header[483:495] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


def main():
    root = Path(sys.argv[1])
    never, fine = root / "never", root / "fine"
    zeros = zipped([("zeros", bytes(100 * MIB))])
    small_zip = zipped([("a.txt", b"hello"), ("b.txt", b"world" * 20)])
    small_tgz = gzipped(tarred([("a.txt", b"hello")]))
    bombs = {
        "zeros.zip": zeros,
        "zeros.gz": gzipped(bytes(100 * MIB)),
        "million.zip": million_to_one(),
        "nested.zip": nested(1000),
        "quoted.zip": quoted_overlap(1000, 4 * MIB),
        "entries.zip": zipped((("%d" % i, b"%d" % i) for i in range(100000)),
                              zipfile.ZIP_STORED),
        "quine.gz": quine(),
        "encrypted.zip": encrypted(),
        "hole.tar": hole(1 << 40),
        "rar5-encrypted.rar": b"Rar!\x1a\x07\x01\x00" + bytes.fromhex(
            "c4d3e2210403000f" + "00" * 40),
    }
    # up to the end of the last member: without the directory nothing is missing
    bombs |= {f"cut-{n:04}.zip": small_zip[:n] for n in range(4, small_zip.find(b"PK\1\2"))}
    bombs |= {f"cut-{n:04}.tgz": small_tgz[:n] for n in range(12, len(small_tgz) - 8)}
    never.mkdir(parents=True)
    fine.mkdir()
    for name, data in bombs.items():
        (never / name).write_bytes(data)
    names = ["../../../etc/passwd", "/abs", "a/../../b", "..", "n" * 5000, "c\u00e4f\u00e9"]
    (fine / "names.zip").write_bytes(zipped([(n, n.encode()) for n in names]))
    (fine / "plain.zip").write_bytes(small_zip)


main()
