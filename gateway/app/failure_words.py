"""What the codes in records of failures mean, and what to do, for people who look at the console.

Codes of refusals are explained in `gateway/errors.py`; here stand the words of failures that nobody was answered with.
The rule: a record of a failure that the console shows is explained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.errors import REASONS
from gateway.upstream.token_state import FetchFailure

AGAIN: Final = "Nothing, when it is seldom: it is tried again by itself."
WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "token.rejected": (
        "Genesys did not take the token before its end: it idled too long, was withdrawn, or a role changed.",
        "Nothing, when it is seldom: a fresh one was fetched, and the call repeated where the route may.",
    ),
    FetchFailure.INVALID_CLIENT: (
        "Genesys does not know the OAuth client: wrong id or secret, another region, or a disabled client.",
        "Compare id, secret and region of the organisation: gateway clients drift.",
    ),
    FetchFailure.UNAUTHORIZED_CLIENT: (
        "Id, secret and region are right; the OAuth client has another grant type.",
        "Make it a client-credentials client in Genesys.",
    ),
    FetchFailure.REFUSED: ("The login host refused the token request.", "Look at the OAuth client in Genesys."),
    FetchFailure.WRONG_ORGANIZATION: (
        "The token belongs to another organisation or client than the configuration says.",
        "Compare [orgs.X] organization_id and the client's id with Genesys.",
    ),
    FetchFailure.THROTTLED: ("The login host answered 429.", AGAIN),
    FetchFailure.UNAVAILABLE: ("The login host answered 5xx.", AGAIN),
    FetchFailure.GARBLED: (
        "Something else than a token came from the login host.",
        "Look what answers at the organisation's login host: a proxy, or a wrong address.",
    ),
    FetchFailure.UNREACHABLE: ("No connection to the login host.", "Check egress and DNS, if it lasts."),
    FetchFailure.TIMEOUT: ("The login host did not answer in time.", AGAIN),
    FetchFailure.UNRECORDED: (
        "A token came and could not be put on record, so it was not used.",
        "Look at the audit disk.",
    ),
}  # fmt: skip
"""Meaning and remedy by code."""


def explained(record: Mapping[str, Any]) -> dict[str, str | None]:
    """The code of a record with what it means and what to do; None for both where there is nothing to explain."""
    code = str(record.get("event.reason") or record.get("error.type") or "")
    of_action = _BY_ACTION.get(str(record.get("event.action")))
    if of_action is not None:
        means, remedy = of_action(record)
    elif (reason := REASONS.get(code)) is not None:
        means, remedy = reason.cause, reason.remedy
    else:
        means, remedy = WORDS.get(code, (None, None))
    return {"code": code, "means": means, "remedy": remedy}


def _of_configuration(record: Mapping[str, Any]) -> tuple[str | None, str | None]:
    keys = ", ".join(record.get("gateway.config.changed_keys", ())) or "none is named"
    told = f"A configuration could not be used; keys at fault: {keys}. The one before stays in force."
    return told, "gateway check says why."


def _of_gap(record: Mapping[str, Any]) -> tuple[str | None, str | None]:
    count = record.get("gateway.gap.count")
    return f"{count} records could not be written; this one declares it.", "Look at the audit disk (docs/audit.md)."


_BY_ACTION: Final[Mapping[str, Callable[[Mapping[str, Any]], tuple[str | None, str | None]]]] = {
    "config.rejected": _of_configuration,
    "audit.gap": _of_gap,
}
"""Failures that are explained by more than their code."""
