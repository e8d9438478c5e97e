"""The words of the panel: every language has all of them, with the same blanks."""

import pytest

from tests.static.conftest import Visit

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]


def script(visit: Visit, statements: str) -> str:
    """Statements with the module's exports at hand."""
    return f"const {{ languages, wordsFor }} = await import('{visit.gateway.url}/static/languages.js'); {statements}"


async def test_every_language_has_every_word_with_the_same_blanks(visit: Visit) -> None:
    await visit.page.goto(visit.site.url)
    languages = await visit.run(script(visit, "return languages;"))
    assert {"en", "de", "fr", "es", "ar"} <= set(languages)
    blanks = {key: sorted(part.split("}")[0] for part in text.split("{")[1:]) for key, text in languages["en"].items()}
    for lang, words in languages.items():
        found = {key: sorted(part.split("}")[0] for part in text.split("{")[1:]) for key, text in words.items()}
        assert found == blanks, lang
        assert all(text.strip() for text in words.values()), lang


@pytest.mark.parametrize(
    ("locale", "lang", "direction"),
    [
        ("de-AT", "de", "ltr"),
        ("DE_at", "de", "ltr"),
        ("ar-EG", "ar", "rtl"),
        ("is-IS", "en", "ltr"),
        ("", "en", "ltr"),
        ("constructor", "en", "ltr"),
    ],
)
async def test_a_locale_finds_its_language_or_english(visit: Visit, locale: str, lang: str, direction: str) -> None:
    await visit.page.goto(visit.site.url)
    statements = f"const words = wordsFor('{locale}'); return [words.lang, words.dir];"
    assert await visit.run(script(visit, statements)) == [lang, direction]


async def test_a_blank_is_filled_and_a_sites_own_word_wins(visit: Visit) -> None:
    await visit.page.goto(visit.site.url)
    statements = (
        "const { say } = wordsFor('en', { send: 'Off it goes' }); return [say('unread', { n: 3 }), say('send')];"
    )
    assert await visit.run(script(visit, statements)) == ["Unread messages: 3", "Off it goes"]
