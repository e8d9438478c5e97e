"""The content of a guest's message: its size, and the custom attributes that the gateway alone decides.

Leaves phases and tokens to `frames`. The rule: ours are set last, in the slot that Genesys reads; a page's attributes
are strings, carry no reserved key and no token, and fit with ours into what Genesys takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.injection import MAX_ATTRIBUTES_BYTES, attributes_bytes

MAX_TEXT_BYTES: Final = 4096
REDACTED: Final = "[redacted]"
_TOKEN: Final = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class OwnAttributes:
    """The attributes that the gateway sets on each message of one guest."""

    values: dict[str, str] = field(repr=False)
    fits: bool = field(init=False)
    """Whether they alone are within what Genesys takes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fits", attributes_bytes(self.values) <= MAX_ATTRIBUTES_BYTES)


def rewrite_message(frame: dict[str, object], own: OwnAttributes, refused_keys: frozenset[str]) -> None:
    """Check an `onMessage` frame and set its custom attributes, in place.

    Raises Refusal: FRAME_MALFORMED, FRAME_TEXT, FRAME_ATTRIBUTES.
    """
    message = frame.get("message")
    if type(message) is not dict:
        raise Refusal(errors.FRAME_MALFORMED, "onMessage has no message")
    text = message.get("text")
    if text is not None:
        _check_text(text)
    theirs: dict[str, str] = {}
    if "channel" in message or "channel" in frame:
        theirs = {key: value for key, value in _take(frame).items() if key.casefold() not in refused_keys}
    if not theirs and _is_typing_only(message):
        return
    attributes = {**theirs, **own.values} if theirs else own.values
    if not attributes:
        return
    if theirs or not own.fits:
        _check_size(attributes)
    if "channel" in message:
        _member(_member(message, "channel"), "metadata")["customAttributes"] = attributes
    else:
        message["channel"] = {"metadata": {"customAttributes": attributes}}


def strip_attributes(frame: dict[str, object]) -> None:
    """Take custom attributes out of a frame that is no message. Raises Refusal(FRAME_ATTRIBUTES)."""
    if "channel" in frame or "message" in frame:
        _take(frame)


def _check_text(text: object) -> None:
    if type(text) is not str:
        raise Refusal(errors.FRAME_MALFORMED, "text is not a string")
    # a character takes four bytes at most: short texts need not be encoded to be measured
    if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode("utf-8")) > MAX_TEXT_BYTES:
        raise Refusal(errors.FRAME_TEXT)


def _check_size(attributes: dict[str, str]) -> None:
    if attributes_bytes(attributes) > MAX_ATTRIBUTES_BYTES:
        raise Refusal(errors.FRAME_ATTRIBUTES, f"more than {MAX_ATTRIBUTES_BYTES} bytes with those of the gateway")


def _take(frame: dict[str, object]) -> dict[str, str]:
    """The page's attributes, taken out of the old slot (`channel`) and the present one (`message.channel`).

    What the old slot leaves empty goes with it; the present slot wins where both name a key.
    """
    attributes = _take_slot(frame)
    message = frame.get("message")
    if isinstance(message, dict):
        attributes |= _take_slot(message)
    return attributes


def _take_slot(holder: dict[str, object]) -> dict[str, str]:
    """`channel.metadata.customAttributes` of one holder, removed. Raises Refusal(FRAME_ATTRIBUTES) unless strings."""
    channel = holder.get("channel")
    metadata = channel.get("metadata") if isinstance(channel, dict) else None
    if not isinstance(channel, dict) or not isinstance(metadata, dict) or "customAttributes" not in metadata:
        return {}
    attributes = metadata.pop("customAttributes")
    if not metadata:
        del channel["metadata"]
    if not channel:
        del holder["channel"]
    if attributes is None:
        return {}
    if not isinstance(attributes, dict):
        raise Refusal(errors.FRAME_ATTRIBUTES, "customAttributes is not an object")
    strings = {key: value for key, value in attributes.items() if isinstance(value, str)}
    if len(strings) != len(attributes):
        raise Refusal(errors.FRAME_ATTRIBUTES, "an attribute is not a string")
    return {key: _without_token(value) for key, value in strings.items()}


def _without_token(value: str) -> str:
    """The value with each JWT in it replaced: pages have put a visitor's whole token into a field."""
    return _TOKEN.sub(REDACTED, value) if "eyJ" in value else value


def _is_typing_only(message: dict[str, object]) -> bool:
    """Whether the message is a typing indicator, which no attribute has to travel with."""
    if message.get("type") != "Event":
        return False
    events = message.get("events")
    if not isinstance(events, list):
        return False
    return all(isinstance(event, dict) and event.get("eventType") == "Typing" for event in events)


def _member(holder: dict[str, object], name: str) -> dict[str, object]:
    """The object at a name, made when absent. Raises Refusal(FRAME_MALFORMED) when something else stands there."""
    value = holder.setdefault(name, {})
    if not isinstance(value, dict):
        raise Refusal(errors.FRAME_MALFORMED, f"{name} is not an object")
    return value
