"""WebSocket framing: whatever the chunks, the same messages; whatever the bytes, a bounded reader and a clear fault."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.ws_wire import (
    BINARY,
    CLOSE,
    FAILED,
    INVALID_TEXT,
    NO_STATUS,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    FrameReader,
    MaskSource,
    Message,
    WireFault,
    apply_mask,
    build_frame,
    carried_code,
    close_payload,
    may_be_received,
    read_close,
)

MASK = b"\x01\x02\x03\x04"


def client_reader(max_bytes: int = 65_536) -> FrameReader:
    return FrameReader(masked=True, max_bytes=max_bytes)


def fault_of(data: bytes, *, masked: bool = False, max_bytes: int = 65_536) -> int | None:
    reader = FrameReader(masked=masked, max_bytes=max_bytes)
    reader.feed(data)
    return None if reader.fault is None else reader.fault.code


# RFC 6455 section 5.7 gives these bytes
@pytest.mark.parametrize(
    ("masked", "data", "messages"),
    [
        (False, "810548656c6c6f", [(TEXT, b"Hello")]),
        (True, "818537fa213d7f9f4d5158", [(TEXT, b"Hello")]),
        (False, "010348656c80026c6f", [(TEXT, b"Hello")]),
        (False, "890548656c6c6f", [(PING, b"Hello")]),
        (True, "8a8537fa213d7f9f4d5158", [(PONG, b"Hello")]),
        (False, "827e0100" + "ab" * 256, [(BINARY, b"\xab" * 256)]),
        (False, "827f0000000000010000" + "ab" * 65_536, [(BINARY, b"\xab" * 65_536)]),
    ],
)
def test_the_examples_of_the_standard_are_read(masked: bool, data: str, messages: list[Message]) -> None:
    reader = FrameReader(masked=masked, max_bytes=1_000_000)
    assert reader.feed(bytes.fromhex(data)) == messages
    assert reader.fault is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("mask", [None, MASK])
def test_a_frame_that_is_built_is_read_back(size: int, mask: bytes | None) -> None:
    payload = os.urandom(size)
    reader = FrameReader(masked=mask is not None, max_bytes=100_000)
    assert reader.feed(build_frame(BINARY, payload, mask)) == [(BINARY, payload)]


@given(
    st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=300)), max_size=6),
    st.lists(st.integers(1, 40), min_size=1, max_size=10),
    st.booleans(),
)
def test_chunks_make_no_difference(messages: list[Message], cuts: list[int], masked: bool) -> None:
    data = b"".join(build_frame(opcode, payload, MASK if masked else None) for opcode, payload in messages)
    reader = FrameReader(masked=masked, max_bytes=65_536)
    found: list[Message] = []
    position, turn = 0, 0
    while position < len(data):
        step = cuts[turn % len(cuts)]
        found += reader.feed(data[position : position + step])
        position, turn = position + step, turn + 1
    assert found == messages
    assert reader.fault is None
    assert reader.held_bytes == 0


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=20), st.booleans())
def test_no_bytes_break_the_reader_or_make_it_hold_more_than_its_bound(chunks: list[bytes], masked: bool) -> None:
    reader = FrameReader(masked=masked, max_bytes=256)
    for chunk in chunks:
        for opcode, payload in reader.feed(chunk):
            assert opcode in (TEXT, BINARY, CLOSE, PING, PONG)
            assert len(payload) <= 256
        if reader.fault is not None:
            break
        assert reader.held_bytes <= 256 + 14 + 200


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
@pytest.mark.parametrize("mask", [None, MASK])
def test_a_chunk_that_is_one_text_message_is_taken_as_a_whole(size: int, mask: bytes | None) -> None:
    payload = os.urandom(size)
    reader = FrameReader(masked=mask is not None, max_bytes=100_000)
    frame = build_frame(TEXT, payload, mask)
    taken = reader.whole_text(frame)
    assert taken == (payload if len(frame) >= 6 and size < 65_536 else None)
    assert reader.feed(frame) == [(TEXT, payload)]


SHORT = st.sampled_from([b"", b"H", b"Hello", b"x" * 125, b"x" * 126, b"x" * 300])


@given(
    st.sampled_from([TEXT, BINARY, CLOSE, PING, PONG]), SHORT, st.booleans(), st.booleans(), st.booleans(),
    st.integers(0, 3), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 255)), max_size=2), st.booleans(),
)  # fmt: skip
def test_what_is_taken_as_a_whole_is_what_the_reader_would_give(
    opcode: int,
    payload: bytes,
    masks: bool,
    masked: bool,
    more: bool,
    cut: int,
    spoils: list[tuple[int, int]],
    midway: bool,
) -> None:
    frame = bytearray(build_frame(opcode, payload, MASK if masks else None))
    for at, byte in spoils:
        frame[at % len(frame)] = byte
    chunk = bytes(frame[: len(frame) - cut]) + (b"\x81\x00" if more else b"")
    one, other = FrameReader(masked=masked, max_bytes=256), FrameReader(masked=masked, max_bytes=256)
    if midway:
        begun = b"\x01\x81" + MASK + b"x" if masked else b"\x01\x01x"
        assert one.feed(begun) == other.feed(begun) == []
    taken = one.whole_text(chunk)
    if taken is not None:
        assert other.feed(chunk) == [(TEXT, taken)]
        assert other.fault is None
        assert other.held_bytes == 0
    assert (one.held_bytes, one.fault) == (int(midway), None)


def test_messages_before_a_fault_are_still_given() -> None:
    reader = client_reader()
    assert reader.feed(build_frame(TEXT, b"fine", MASK) + b"\xff\xff") == [(TEXT, b"fine")]
    assert reader.fault is not None


@pytest.mark.parametrize(
    ("data", "masked", "code"),
    [
        (b"\xc1\x00", False, PROTOCOL_ERROR),  # RSV1 without an extension
        (b"\xa1\x00", False, PROTOCOL_ERROR),
        (b"\x83\x00", False, PROTOCOL_ERROR),  # unknown opcodes
        (b"\x8b\x00", False, PROTOCOL_ERROR),
        (b"\x81\x00", True, PROTOCOL_ERROR),  # not masked by a client
        (b"\x81\x80" + MASK, False, PROTOCOL_ERROR),  # masked by a server
        (b"\x89\x7e\x00\x80", False, PROTOCOL_ERROR),  # ping of 128 bytes
        (b"\x09\x00", False, PROTOCOL_ERROR),  # fragmented ping
        (b"\x81\x7e\x00\x05Hello", False, PROTOCOL_ERROR),  # length not in its shortest form
        (b"\x81\x7f" + (200).to_bytes(8, "big"), False, PROTOCOL_ERROR),
        (b"\x81\x7f" + (1 << 63).to_bytes(8, "big"), False, PROTOCOL_ERROR),
        (b"\x80\x00", False, PROTOCOL_ERROR),  # continuation of nothing
        (b"\x01\x01a\x81\x01b", False, PROTOCOL_ERROR),  # a message inside a message
        (b"\x81\x7f" + (70_000).to_bytes(8, "big"), False, TOO_BIG),  # refused by its header already
        (b"\x01\x01a" * 1, False, None),
    ],
)
def test_what_breaks_the_standard_is_named(data: bytes, masked: bool, code: int | None) -> None:
    assert fault_of(data, masked=masked) == code


def test_fragments_count_together_against_the_bound() -> None:
    piece = build_frame(0, b"x" * 60)
    first = bytes([0x01]) + build_frame(TEXT, b"x" * 60)[1:]
    middle = bytes([0x00]) + piece[1:]
    assert fault_of(first + middle * 2, max_bytes=200) is None
    assert fault_of(first + middle * 3, max_bytes=200) == TOO_BIG


def test_a_message_in_thousands_of_empty_fragments_is_refused() -> None:
    assert fault_of(b"\x01\x00" + b"\x00\x00" * 5000) == 1008


def test_a_large_frame_byte_by_byte_is_looked_at_a_few_times_only() -> None:
    data = build_frame(TEXT, b"x" * 60_000, MASK)
    reader = client_reader(max_bytes=65_536)
    found: list[Message] = []
    kept: list[bytearray] = []  # each look that finds no whole frame puts what is there into a new array
    for byte in range(len(data)):
        found += reader.feed(data[byte : byte + 1])
        if reader._pending is not None and (not kept or reader._pending is not kept[-1]):
            kept.append(reader._pending)
    assert found == [(TEXT, b"x" * 60_000)]
    assert 1 <= len(kept) < 12


@given(st.binary(max_size=400), st.binary(min_size=4, max_size=4))
def test_masking_twice_changes_nothing(payload: bytes, mask: bytes) -> None:
    masked = apply_mask(mask, payload)
    assert masked == bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    assert apply_mask(mask, masked) == payload


def test_masks_are_drawn_in_pages_and_never_given_twice() -> None:
    drawn: list[int] = []

    def entropy(size: int) -> bytes:
        drawn.append(size)
        return os.urandom(size)

    source = MaskSource(entropy)
    masks = [source.next() for _ in range(2048)]
    assert len(drawn) == 2
    assert {len(mask) for mask in masks} == {4}
    assert len(set(masks)) > 2000


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999])
def test_codes_that_may_be_sent_are_read(code: int) -> None:
    assert read_close(close_payload(code, "why")) == (code, "why")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
def test_codes_that_may_never_be_sent_are_a_fault(code: int) -> None:
    assert not may_be_received(code)
    with pytest.raises(WireFault) as fault:
        read_close(code.to_bytes(2, "big"))
    assert fault.value.code == PROTOCOL_ERROR


def test_a_close_may_be_empty_but_not_of_one_byte_nor_of_spoilt_text() -> None:
    assert read_close(b"") == (NO_STATUS, "")
    assert close_payload(NO_STATUS, "ignored") == b""
    with pytest.raises(WireFault):
        read_close(b"\x03")
    with pytest.raises(WireFault) as fault:
        read_close(b"\x03\xe8\xff")
    assert fault.value.code == INVALID_TEXT


def test_a_long_reason_is_cut_between_characters() -> None:
    payload = close_payload(1000, "é" * 200)
    assert len(payload) <= 125
    assert payload[2:].decode() == "é" * 61


def test_the_code_that_browsers_refuse_is_carried_as_a_general_failure() -> None:
    assert carried_code(1014) == FAILED
    assert carried_code(4000) == 4000
