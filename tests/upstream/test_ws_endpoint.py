"""One end of a socket: holds on its reading add up, one Close leaves it, and its loss is told once."""

from __future__ import annotations

import asyncio

import pytest

from gateway.upstream.ws_endpoint import HELD_BY_OTHER_WRITING, HELD_BY_WAIT, Endpoint
from gateway.upstream.ws_wire import PING, TEXT, FrameReader, MaskSource, WireFault, build_frame

MASK = b"\x01\x02\x03\x04"


class Transport(asyncio.Transport):
    """Notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reading = True
        self.end = ""

    def write(self, data: bytes | bytearray | memoryview[int]) -> None:
        self.written.append(bytes(data))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def state(self) -> tuple[bool, str]:
        """Whether it reads, and how it ended."""
        return self.reading, self.end

    def is_closing(self) -> bool:
        return self.end != ""

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"


class Clock:
    """Stands still."""

    now = 7.0


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.watch = Clock()
        self.heard: list[object] = []

    def message(self, end: Endpoint, opcode: int, payload: bytes) -> None:
        self.heard.append((opcode, payload))

    def broken(self, end: Endpoint, fault: WireFault) -> None:
        self.heard.append(fault.code)

    def writing(self, end: Endpoint, *, paused: bool) -> None:
        self.heard.append("full" if paused else "drained")

    def lost(self, end: Endpoint) -> None:
        self.heard.append("lost")


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def end(transport: Transport, owner: Owner) -> Endpoint:
    return Endpoint(transport, owner, FrameReader(masked=True, max_bytes=100), None)


def test_messages_come_in_order_and_a_fault_makes_it_deaf(end: Endpoint, owner: Owner) -> None:
    end.data_received(build_frame(TEXT, b"a", MASK) + build_frame(PING, b"", MASK) + b"\xff\xff")
    end.data_received(build_frame(TEXT, b"b", MASK))
    assert owner.heard == [(TEXT, b"a"), (PING, b""), 1002]
    assert end.deaf


def test_reading_goes_on_only_when_the_last_hold_ends(end: Endpoint, transport: Transport) -> None:
    end.hold(HELD_BY_WAIT)
    end.hold(HELD_BY_OTHER_WRITING)
    end.release(HELD_BY_WAIT)
    assert transport.state() == (False, "")
    end.release(HELD_BY_WAIT)
    assert transport.state() == (False, "")
    end.release(HELD_BY_OTHER_WRITING)
    assert transport.state() == (True, "")
    end.hold(HELD_BY_WAIT)
    end.hold(HELD_BY_OTHER_WRITING)
    end.release_all()
    assert transport.state() == (True, "")


def test_a_full_write_buffer_holds_its_own_reading_and_is_told(
    end: Endpoint, transport: Transport, owner: Owner
) -> None:
    end.pause_writing()
    assert (transport.reading, end.paused_since) == (False, 7.0)
    end.resume_writing()
    assert (transport.reading, end.paused_since) == (True, None)
    assert owner.heard == ["full", "drained"]


def test_what_came_early_is_heard_before_reading_goes_on(end: Endpoint, transport: Transport, owner: Owner) -> None:
    transport.pause_reading()
    end.begin(build_frame(TEXT, b"early", MASK))
    assert owner.heard == [(TEXT, b"early")]
    assert transport.state() == (True, "")


def test_nothing_follows_a_close(end: Endpoint, transport: Transport) -> None:
    end.send(TEXT, b"last")
    end.send_close(1000, "bye")
    end.send(TEXT, b"too late")
    end.send_close(1001, "again")
    assert transport.written == [b"\x81\x04last", b"\x88\x05\x03\xe8bye"]


def test_towards_a_server_each_frame_has_a_mask_of_its_own(transport: Transport, owner: Owner) -> None:
    masks = iter([b"\x00\x00\x00\x01" + b"\x00\x00\x00\x02"])
    end = Endpoint(transport, owner, FrameReader(masked=False, max_bytes=100), MaskSource(lambda size: next(masks)))
    end.send(TEXT, b"\0\0\0\0")
    end.send(TEXT, b"\0\0\0\0")
    assert transport.written == [
        b"\x81\x84\x00\x00\x00\x01\x00\x00\x00\x01",
        b"\x81\x84\x00\x00\x00\x02\x00\x00\x00\x02",
    ]


def test_a_loss_is_told_once_and_then_nothing_is_touched(end: Endpoint, transport: Transport, owner: Owner) -> None:
    end.connection_lost(None)
    end.connection_lost(ConnectionResetError())
    end.send(TEXT, b"nobody")
    end.hold(HELD_BY_WAIT)
    end.release(HELD_BY_WAIT)
    end.finish()
    end.abort()
    assert owner.heard == ["lost"]
    assert (transport.written, transport.reading, transport.end) == ([], True, "")


def test_finishing_lets_the_rest_leave_and_aborting_does_not(end: Endpoint, transport: Transport) -> None:
    end.finish()
    assert transport.end == "closed"
    end.abort()
    assert transport.end == "aborted"
