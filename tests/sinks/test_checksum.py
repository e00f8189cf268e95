"""CRC32C of a whole from its pieces."""

from __future__ import annotations

import google_crc32c
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.sinks import checksum


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_checksums_of_pieces_combine_to_that_of_the_whole(pieces: list[bytes]) -> None:
    combined = 0
    for piece in pieces:
        combined = checksum.combine(combined, google_crc32c.value(piece), len(piece))
    assert combined == google_crc32c.value(b"".join(pieces))


def test_long_pieces_combine_as_well() -> None:
    first, second = b"a" * 3_000_001, b"b" * 5_000_007
    combined = checksum.combine(google_crc32c.value(first), google_crc32c.value(second), len(second))
    assert combined == google_crc32c.value(first + second)


def test_the_header_of_the_file_host_is_read_in_all_its_forms() -> None:
    crc32c, md5 = bytes.fromhex("9f4df1e8"), bytes.fromhex("3a393d7377617f182829554763015b1d")
    both = {"crc32c": crc32c, "md5": md5}
    assert checksum.from_storage_headers(["crc32c=n03x6A==,md5=Ojk9c3dhfxgoKVVHYwFbHQ=="]) == both
    assert checksum.from_storage_headers(["md5=Ojk9c3dhfxgoKVVHYwFbHQ==", "crc32c=n03x6A=="]) == both
    assert checksum.from_storage_headers(["MD5=Ojk9c3dhfxgoKVVHYwFbHQ=="]) == {"md5": md5}
    for nothing in ["crc32c=?", "crc32c=é", "crc32c=", "md5=n03x6A==", "sha1=n03x6A==", "="]:
        assert checksum.from_storage_headers([nothing]) == {}
    assert checksum.from_storage_headers([]) == {}
