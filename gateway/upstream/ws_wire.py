"""WebSocket frames as bytes, RFC 6455: a reader that takes chunks and gives messages, and a writer of frames.

No I/O and no clock; what a message means is `ws_pair.py`. Compression is never negotiated (its state costs tens of KiB
per socket, and a shared window leaks secrets, RFC 7692 section 8), so any RSV bit is a fault. Rule kept: at most
`max_bytes` of one message are ever held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_CONTINUATION: Final = 0x0
_WHOLE_TEXT: Final = 0x81
"""The first byte of a text message in one frame, no reserved bit set."""
_OPCODES: Final = frozenset({_CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED: Final = 1003
NO_STATUS: Final = 1005
INVALID_TEXT: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
FAILED: Final = 1011

MAX_CONTROL_BYTES: Final = 125
_HEADS: Final = {opcode: tuple(bytes((0x80 | opcode, second)) for second in range(256)) for opcode in _OPCODES}
"""The first two bytes of each kind of whole frame, by mask bit and length."""
_MAX_FRAGMENTS: Final = 1024
_integer: Final = int.from_bytes

Message = tuple[int, bytes]
"""Opcode and payload of one whole message: TEXT, BINARY, CLOSE, PING or PONG."""


class WireFault(Exception):
    """The peer broke RFC 6455; `code` is the close code that says how."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class FrameReader:
    """Reads one direction of one socket. `masked`: whether its frames must be masked (they come from a client)."""

    __slots__ = (
        "_first",
        "_fragments",
        "_head_bytes",
        "_held",
        "_mask_bit",
        "_masked",
        "_max_bytes",
        "_need",
        "_pending",
        "fault",
    )

    def __init__(self, *, masked: bool, max_bytes: int) -> None:
        self._masked = masked
        self._mask_bit = 0x80 if masked else 0
        self._head_bytes = 6 if masked else 2
        self._max_bytes = max_bytes
        self.fault: WireFault | None = None
        """Set once the peer broke the protocol; the reader is of no use after that."""
        self._pending: bytearray | None = None
        self._need = 0
        self._fragments: list[bytes] | None = None
        self._first = 0
        self._held = 0

    @property
    def held_bytes(self) -> int:
        """How much of a message that is not complete yet is held."""
        return self._held + (len(self._pending) if self._pending is not None else 0)

    def whole_text(self, data: bytes) -> bytes | None:
        """The payload of a chunk that is one whole text message and nothing else, as nearly every chunk is.

        None for any other chunk: `feed` takes it. The same rules hold here; what breaks one is left to `feed` to name.
        """
        if self._pending is not None or self._fragments is not None or len(data) < 6 or data[0] != _WHOLE_TEXT:
            return None
        length, start = data[1] - self._mask_bit, self._head_bytes
        if length > 125:
            if length != 126:
                return None
            length, start = data[2] << 8 | data[3], start + 2
            if length < 126:
                return None
        if start + length != len(data) or length > self._max_bytes:
            return None
        if not self._masked:
            return data[start:]
        return apply_mask(data[start - 4 : start], data[start:])

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that `data` completes, up to a fault; the caller looks at `fault` after them."""
        if self._pending is not None:
            self._pending += data
            if len(self._pending) < self._need:
                return []
            data, self._pending = bytes(self._pending), None
        messages: list[Message] = []
        try:
            self._read(data, messages)
        except WireFault as fault:
            self.fault = fault
        return messages

    def _read(self, data: bytes, messages: list[Message]) -> None:
        position, end = 0, len(data)
        while end - position >= 2:
            first, second = data[position], data[position + 1]
            start, length = self._measure(data, position, first, second)
            if start < 0 or start + length > end:
                # look again only when the frame can be whole, so that a slow sender costs no repeated copies
                self._need = start + length - position if start >= 0 else 0
                break
            payload = data[start : start + length]
            if self._masked and length:
                payload = apply_mask(data[start - 4 : start], payload)
            position = start + length
            if first & 0x8F in (0x81, 0x88, 0x89, 0x8A, 0x82) and (first & 0x8 or self._fragments is None):
                messages.append((first & 0x0F, payload))
            else:
                self._join(first, payload, messages)
        else:
            self._need = 0
        if position < end:
            self._pending = bytearray(data[position:])

    def _measure(self, data: bytes, position: int, first: int, second: int) -> tuple[int, int]:
        """Where the payload starts and how long it is; start -1 while the header is not complete."""
        opcode = first & 0x0F
        if first & 0x70:
            raise WireFault(PROTOCOL_ERROR, "reserved bit set, and no extension was negotiated")
        if opcode not in _OPCODES:
            raise WireFault(PROTOCOL_ERROR, "unknown opcode")
        if (second & 0x80 != 0) is not self._masked:
            # RFC 6455 section 5.1: a client masks every frame, a server none; the other side must close
            raise WireFault(PROTOCOL_ERROR, "frame not masked" if self._masked else "frame masked")
        length = second & 0x7F
        start = position + (6 if self._masked else 2)
        if opcode >= CLOSE:
            if length > MAX_CONTROL_BYTES or not first & 0x80:
                raise WireFault(PROTOCOL_ERROR, "control frame too long or fragmented")
            return start, length
        if length == 126:
            if len(data) - position < 4:
                return -1, 0
            length = int.from_bytes(data[position + 2 : position + 4], "big")
            start += 2
            if length < 126:
                raise WireFault(PROTOCOL_ERROR, "length not in its shortest form")
        elif length == 127:
            if len(data) - position < 10:
                return -1, 0
            length = int.from_bytes(data[position + 2 : position + 10], "big")
            start += 8
            if length < 65_536 or length >> 63:
                raise WireFault(PROTOCOL_ERROR, "length not in its shortest form")
        if self._held + length > self._max_bytes:
            raise WireFault(TOO_BIG, f"message larger than {self._max_bytes} bytes")
        return start, length

    def _join(self, first: int, payload: bytes, messages: list[Message]) -> None:
        """Add a fragment; the last one completes the message."""
        opcode = first & 0x0F
        if opcode == _CONTINUATION:
            if self._fragments is None:
                raise WireFault(PROTOCOL_ERROR, "continuation of nothing")
        elif self._fragments is not None:
            raise WireFault(PROTOCOL_ERROR, "new message inside a fragmented one")
        else:
            self._fragments, self._first = [], opcode
        self._fragments.append(payload)
        self._held += len(payload)
        if len(self._fragments) > _MAX_FRAGMENTS:
            raise WireFault(POLICY, "message in too many fragments")
        if first & 0x80:
            messages.append((self._first, b"".join(self._fragments)))
            self._fragments, self._held = None, 0


class MaskSource:
    """Fresh 4-byte masks, drawn from `entropy` a page at a time; RFC 6455 section 5.3 wants them unpredictable."""

    __slots__ = ("_entropy", "_page", "_position")
    _PAGE_BYTES: Final = 4096

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._page = b""
        self._position = 0

    def next(self) -> bytes:
        """A mask that was not given before."""
        position = self._position
        if position >= len(self._page):
            self._page = self._entropy(self._PAGE_BYTES)
            position = 0
        self._position = position + 4
        return self._page[position : position + 4]


def apply_mask(mask: bytes, payload: bytes) -> bytes:
    """XOR with the repeated mask; the same step masks and unmasks."""
    length = len(payload)
    repeated = (mask * ((length >> 2) + 1))[:length]
    # one XOR of two big integers runs in C; a loop over bytes would cost 50 times as much
    return (_integer(payload, "little") ^ _integer(repeated, "little")).to_bytes(length, "little")


def build_frame(opcode: int, payload: bytes, mask: bytes | None = None) -> bytes:
    """One whole, unfragmented frame; masked when `mask` is given (towards a server)."""
    length = len(payload)
    bit = 0 if mask is None else 0x80
    if length < 126:
        head = _HEADS[opcode][bit | length]
    elif length < 65_536:
        head = _HEADS[opcode][bit | 126] + length.to_bytes(2, "big")
    else:
        head = _HEADS[opcode][bit | 127] + length.to_bytes(8, "big")
    if mask is None:
        return head + payload
    return head + mask + apply_mask(mask, payload)


def close_payload(code: int, reason: str = "") -> bytes:
    """The payload of a Close frame; empty for NO_STATUS, which must never be sent. The reason is cut to fit."""
    if code == NO_STATUS:
        return b""
    words = reason.encode("utf-8")[: MAX_CONTROL_BYTES - 2].decode("utf-8", "ignore").encode("utf-8")
    return code.to_bytes(2, "big") + words


def read_close(payload: bytes) -> tuple[int, str]:
    """Code and reason of a Close frame that came in; NO_STATUS when it carried none. Raises `WireFault`."""
    if not payload:
        return NO_STATUS, ""
    if len(payload) == 1:
        raise WireFault(PROTOCOL_ERROR, "close frame of one byte")
    code = int.from_bytes(payload[:2], "big")
    if not may_be_received(code):
        raise WireFault(PROTOCOL_ERROR, "close code that may not be sent")
    try:
        return code, payload[2:].decode("utf-8")
    except UnicodeDecodeError as exc:
        raise WireFault(INVALID_TEXT, "close reason is not UTF-8") from exc


def may_be_received(code: int) -> bool:
    """Is `code` one that a peer may send? RFC 6455 section 7.4 and the IANA registry (1012 to 1014)."""
    return (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) or 3000 <= code <= 4999


def carried_code(code: int) -> int:
    """The code under which a close is passed on to the other side.

    1014 is registered, but Chromium takes it for a protocol error, so that the page would see 1006 and no reason.
    """
    return FAILED if code == 1014 else code
