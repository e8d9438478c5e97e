"""Guest sessions and conversations as records."""

from gateway.mock.guest_model import Attachment, Conversation, GuestSession


def test_a_session_is_verified_once_it_has_a_subject() -> None:
    session = GuestSession("s", "d", 0.0, 1.0, {"secret-token"})
    assert not session.verified
    session.subject = "ana"
    assert session.verified


def test_tokens_and_file_contents_are_not_shown() -> None:
    session = GuestSession("s", "d", 0.0, 1.0, {"secret-token"})
    attachment = Attachment("a", "s", "a.txt", "text/plain", 3, None, 0, 0, content=b"secret-bytes")
    assert "secret" not in repr(session) + repr(attachment)


def test_a_conversation_runs_until_its_end_is_set() -> None:
    conversation = Conversation("c", "s", "d", "q", "v", 0.0, "p1", "p2")
    assert conversation.active
    conversation.ended_at = 5.0
    assert not conversation.active
