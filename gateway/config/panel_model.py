"""The shape of [sites.X.panel]: look and words of our own chat panel, as far as a site sets them.

What each property and word is for stands in static/look.js and static/languages.js; tests compare the names.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.config.section import Section

Property = Literal[
    "accent", "on-accent", "surface", "quiet", "text", "faint", "line", "alert", "font", "radius", "gap", "z"
]
"""What the custom properties `--gateway-...` of the panel are called."""
Word = Literal[
    "title", "open", "close", "unread", "welcome", "messages", "input", "send", "attach", "you", "agent", "bot",
    "typing", "older", "online", "connecting", "reconnecting", "offline", "refused", "reference", "tryAgain", "signin",
    "asGuest", "elsewhere", "useHere", "waiting", "sending", "sent", "failed", "unconfirmed", "tooLong", "fileRefused",
    "fileTooLarge", "uploading", "file", "cannotShow", "inWriting", "signedIn", "left", "end", "endAsk", "endYes",
    "endNo", "ended", "startNew",
]  # fmt: skip
"""What the panel says, by the names of static/languages.js."""
CssValue = Annotated[str, Field(pattern=r"^[^;{}<>\\]{1,100}$")]
Words = Annotated[str, Field(min_length=1, max_length=300)]


class Panel(Section):
    """[sites.X.panel]: look and words of our own chat panel (mode proxied)."""

    scheme: Literal["light", "dark", "auto"] = Field("light", description="Colours; auto: as the visitor's system.")
    theme: dict[Property, CssValue] = Field(
        default_factory=dict, description="Values of the panel's custom properties, without their `--gateway-`."
    )
    texts: dict[Word, Words] = Field(
        default_factory=dict, description="Words in the place of the panel's own, for all languages of the site."
    )
