"""Output is kept in blocks whose memory is used again, and no byte is changed by that."""

from __future__ import annotations

import google_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from labelbox_export_provider.sinks.base import PartBody
from labelbox_export_provider.sinks.uncopied_body import UncopiedBody
from labelbox_export_provider.streaming.pipeline.blocks import BlockPool, BlockWriter, Output


def written(pool: BlockPool, chunks: list[bytes]) -> list[Output]:
    outputs: list[Output] = []
    writer = BlockWriter(pool, outputs.append)
    for chunk in chunks:
        writer.write(chunk)
    writer.flush()
    return outputs


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 16))
def test_bytes_come_out_as_they_went_in_with_their_checksum(chunks: list[bytes], block_bytes: int) -> None:
    outputs = written(BlockPool(block_bytes), chunks)
    assert b"".join(bytes(output.view) for output in outputs) == b"".join(chunks)
    assert all(output.crc32c == google_crc32c.value(bytes(output.view)) for output in outputs)
    assert all(0 < len(output) <= block_bytes for output in outputs)


def test_a_block_is_reused_once_all_of_it_is_stored() -> None:
    """The memory of a block is reused once all its bytes are stored, and not before."""
    pool = BlockPool(8)
    (output,) = written(pool, [b"abc\ndefg"])
    head, tail = output.split(4)
    assert (bytes(head.view), bytes(tail.view)) == (b"abc\n", b"defg")
    assert output.block is not None
    pool.mark_stored(output.block, len(head))
    assert pool.acquire() is not output.buffer
    pool.mark_stored(output.block, len(tail))
    assert pool.acquire() is output.buffer


def test_the_small_end_of_a_task_holds_no_block() -> None:
    pool = BlockPool(8)
    full, end = written(pool, [b"01234567ab"])
    assert full.block is not None
    assert end.block is None
    assert bytes(end.view) == b"ab"


def test_free_blocks_make_room_for_long_rows() -> None:
    """Free blocks are unmapped where a long row takes what is left for output, and blocks in use are not."""
    pool = BlockPool(8)
    first, second, third = (pool.acquire() for _ in range(3))
    pool.release(first)
    pool.release(second)
    pool.keep_within(16)
    assert pool.acquire() is first
    pool.release(first)
    pool.keep_within(0)
    assert pool.acquire() not in (first, second, third)


def test_a_part_is_read_in_its_own_buffers_more_than_once() -> None:
    """A client reads a part buffer by buffer, without a copy, as often as it needs to."""
    pieces = [bytearray(b"ab"), bytearray(b"cdefg"), bytearray(b"h")]
    body = UncopiedBody.of(PartBody(pieces))
    for _ in range(2):
        assert [bytes(piece) for piece in iter(lambda: body.read(1), b"")] == [b"ab", b"cdefg", b"h"]
        assert body.seek(0) == 0
        assert body.read() == b"abcdefgh"
        body.seek(4)
        assert bytes(body.read(1)) == b"efg"
        target = bytearray(4)
        body.seek(1)
        assert body.readinto(target) == 4
        assert target == b"bcde"
        body.seek(0)
