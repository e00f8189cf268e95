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
    assert checksum.from_storage_header(["crc32c=n03x6A==,md5=Ojk9c3dhfxgoKVVHYwFbHQ=="]) == 0x9F4DF1E8
    assert checksum.from_storage_header(["md5=Ojk9c3dhfxgoKVVHYwFbHQ==", "crc32c=n03x6A=="]) == 0x9F4DF1E8
    assert checksum.from_storage_header(["md5=Ojk9c3dhfxgoKVVHYwFbHQ=="]) is None
    assert checksum.from_storage_header(["crc32c=?"]) is None
    assert checksum.from_storage_header([]) is None
