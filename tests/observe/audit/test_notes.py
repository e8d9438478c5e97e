"""C2SP signed notes: a published example, and every way in which a note is refused."""

import pytest

from gateway.observe.audit.notes import (
    Checkpoint,
    NoteError,
    b64,
    open_note,
    parse_checkpoint,
    parse_vkey,
    split_notes,
    unb64,
)
from tests.observe.audit.making import key, signer

# The example that implementations of the signed-note specification share.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n"
    "\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
TEXT = Checkpoint("test/gw1-x", 7, bytes(range(32)), ("more",)).text()


def kind_of(note: str) -> str:
    with pytest.raises(NoteError) as caught:
        open_note(note, [key()])
    return caught.value.kind


def test_the_published_example_opens() -> None:
    trusted = parse_vkey(VKEY)
    assert open_note(NOTE, [trusted]) == ("This is an example message.\n", trusted)
    assert trusted.vkey == VKEY


def test_a_note_of_ours_opens_and_says_who_signed() -> None:
    text, by = open_note(signer().sign(TEXT), [key(2), key()])
    assert text == TEXT
    assert by == key()
    assert parse_checkpoint(text) == Checkpoint("test/gw1-x", 7, bytes(range(32)), ("more",))


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    note = signer().sign(TEXT)
    second = signer(2, "other/key").sign(TEXT).rpartition("\n\n")[2]
    assert open_note(note + second, [key()])[1] == key()
    assert open_note(note + second, [key(2, "other/key")])[1].name == "other/key"


@pytest.mark.parametrize("offset", range(len(signer().sign(TEXT))))
def test_no_byte_of_a_note_may_change(offset: int) -> None:
    note = signer().sign(TEXT)
    changed = note[:offset] + chr(ord(note[offset]) ^ 1) + note[offset + 1 :]
    assert kind_of(changed) in {"MALFORMED", "BAD_SIGNATURE", "UNKNOWN_KEY"}


@pytest.mark.parametrize(
    ("note", "kind"),
    [
        ("", "MALFORMED"), ("x\n", "MALFORMED"), (TEXT, "MALFORMED"), (signer().sign(TEXT)[:-1], "MALFORMED"),
        (signer().sign(TEXT).replace("\u2014", "-"), "MALFORMED"),
        (signer().sign(TEXT) + signer().sign(TEXT).rpartition("\n\n")[2] * 16, "MALFORMED"),
        (signer(2, "test/gw1").sign(TEXT), "UNKNOWN_KEY"), (TEXT + "\n\u2014 a+b AAAAAAAA\n", "MALFORMED"),
        (TEXT + "\n\u2014 a AAAA\n", "MALFORMED"), (TEXT + "\n\u2014 a \n", "MALFORMED"),
        ("a\tb\n\n\u2014 a AAAAAAAA\n", "MALFORMED"),
    ],
)  # fmt: skip
def test_notes_that_are_refused(note: str, kind: str) -> None:
    assert kind_of(note) == kind


def test_a_failing_signature_of_a_known_key_spoils_the_note() -> None:
    note = signer().sign(TEXT)
    assert kind_of(note.replace("more", "less")) == "BAD_SIGNATURE"


@pytest.mark.parametrize("text", ["no newline", "control\x07\n"])
def test_only_clean_text_is_signed(text: str) -> None:
    with pytest.raises(NoteError):
        signer().sign(text)


@pytest.mark.parametrize("text", ["a\n1\n", f"a\n01\n{b64(bytes(32))}\n", f"a\n-1\n{b64(bytes(32))}\n",
    f"a\n1\n{b64(bytes(31))}\n",
                                  f"a\n1\n{b64(bytes(32))}\n\nx\n", f"a\nx\n{b64(bytes(32))}\n"])  # fmt: skip
def test_texts_that_are_no_checkpoint(text: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(text)


@pytest.mark.parametrize("text", ["AA", "AB==", "A A=", "QUI=\n", "\u00e9"])
def test_one_spelling_of_base64_only(text: str) -> None:
    with pytest.raises(NoteError):
        unb64(text)


@pytest.mark.parametrize(
    "vkey", ["", "a+b", VKEY.replace("530d", "530e"), "a b+00000000+AQ==", "x+00000000+AQ==", VKEY[:-4] + "AAA="]
)
def test_verifier_keys_that_are_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        parse_vkey(vkey)


def test_a_document_of_many_notes_is_cut_into_them() -> None:
    one, two = signer().sign(TEXT), signer().sign(TEXT.replace("7", "8"))
    assert list(split_notes(one + two)) == [one, two]
    assert list(split_notes("\n" + one + "\n\n" + two + "\n")) == [one, two]
    assert list(split_notes("")) == []


def test_a_private_key_does_not_show() -> None:
    assert "private" not in repr(signer()).lower()
