"""How the audit log names people, tokens and conversations: pseudonyms and references, never the words themselves.

Leaves the keys by month and day to pseudonyms.py and those of single visitors to subjects.py.
"""

from collections.abc import Callable

from gateway.observe.audit.ledger import Clock
from gateway.observe.audit.pseudonyms import KeyRing
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.subjects import DirectoryKeys, SubjectKeys, Subjects


class Names:
    """The naming half of the audit log."""

    def __init__(
        self, settings: AuditSettings, subject_keys: SubjectKeys | None, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        """Name the keys' directory; nothing is made before it is needed."""
        self.settings = settings
        self._clock = clock
        self._ring = KeyRing(settings.keys_dir, random)
        self._subjects: Subjects | None = None
        if settings.subject_keys:
            keys = subject_keys or DirectoryKeys(settings.subjects_dir)
            self._subjects = Subjects(keys, self._ring, random=random)

    def pseudonym(self, site: str, subject: str, now: float) -> str | None:
        """Return the visitor's pseudonym: of this month, or with `subject_keys` its own, None before `meet`.

        Raises OSError when the month's key cannot be had.
        """
        if self._subjects is not None:
            return self._subjects.name(site, subject)
        return self._ring.pseudonym(site, subject, now)

    @property
    def has_subject_keys(self) -> bool:
        """Has each visitor a key of its own?"""
        return self._subjects is not None

    async def meet(self, site: str, subject: str) -> None:
        """Have the visitor's pseudonym at hand, before any record of it is made. Never raises."""
        if self._subjects is not None:
            await self._subjects.meet(site, subject)

    async def look_up(self, site: str, subject: str) -> str | None:
        """Return the pseudonym that the visitor has now, None when it has none. Raises OSError."""
        if self._subjects is not None:
            return await self._subjects.look_up(site, subject)
        return self._ring.pseudonym(site, subject, self._clock.wall())

    async def forget(self, site: str, subject: str) -> bool:
        """Destroy the visitor's own key, which unlinks its records; the caller has put that on record.

        False: there was none. Raises OSError.
        """
        return self._subjects is not None and await self._subjects.forget(site, subject)

    def client_ref(self, address: str, now: float) -> str:
        """Return the reference of a full client address for this day. Raises OSError when its key cannot be had."""
        return self._ring.client_ref(address, now)

    def ref(self, kind: str, secret: str) -> str:
        """Return the lasting reference of a token, session or conversation, to find it again with `gateway audit
        hash`.
        """
        return self._ring.ref(kind, secret)

    def conversation(self, conversation_id: str) -> str:
        """Return the conversation id as records may show it: clear, or its reference, by `conversation_id`."""
        return (
            conversation_id if self.settings.conversation_id == "clear" else self.ref("conversation", conversation_id)
        )
