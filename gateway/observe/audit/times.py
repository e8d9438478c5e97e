"""Times as people and records write them, into seconds since 1970. Pure."""

import re
from datetime import UTC, datetime
from typing import Final

_AGO: Final = re.compile(r"^(\d+)(s|m|h|d|w)$")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_time(text: str, now: float | None = None) -> float:
    """Read an ISO 8601 time (UTC where no zone is given), a date, or, with `now`, an age such as 90m or 2d;
    raises ValueError.
    """
    ago = _AGO.match(text)
    if ago is not None and now is not None:
        return now - int(ago[1]) * _UNIT_S[ago[2]]
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
