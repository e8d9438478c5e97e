"""docs/embedding.md names what the script has: codes, attributes of the tag, calls, events, cases."""

import re
from pathlib import Path

from gateway.errors import REASONS
from tests.static.stand_in import STATIC_DIR

ROOT = STATIC_DIR.parent
TEXT = (ROOT / "docs" / "embedding.md").read_text()
SOURCES = {path.name: path.read_text() for path in STATIC_DIR.glob("*.js")}
LOADED = ("widget.js", "messenger.js", "split.js", "shim.js", "shim-attributes.js", "shim-actions.js", "proxied.js")
CODE = re.compile(r'(?:code: |problem\(|Problem\()"([a-z]+\.[a-z_]+)"')


def test_every_code_of_the_script_is_named() -> None:
    codes = {code for name in LOADED for code in CODE.findall(SOURCES[name])}
    assert len(codes) > 10
    assert {code for code in codes - set(REASONS) if f"`{code}`" not in TEXT} == set()


def test_every_attribute_of_the_tag_is_named() -> None:
    used = set(re.findall(r"\bdata\.([a-z]+)", SOURCES["widget.js"] + SOURCES["proxied.js"]))
    used |= set(re.findall(r"\{ (visitor) \}", SOURCES["split.js"])) | {"arm"}
    assert {name for name in used if f"`data-{name}" not in TEXT} == set()


def test_every_call_of_the_global_is_named() -> None:
    source = SOURCES["widget.js"]
    body = source[source.index("const api = {") : source.index("/** A function that hands its calls")]
    calls = set(re.findall(r"^    (\w+)[:(]", body, re.MULTILINE))
    assert calls >= {"open", "signIn", "consent", "on", "push"}
    assert {name for name in calls if name != "push" and f"`{name}(" not in TEXT} == set()
    assert "gateway.push(" in TEXT


def test_every_case_of_something_wrong_has_its_test() -> None:
    tests = (Path(__file__).parent / "test_must_hold.py").read_text()
    table = TEXT[TEXT.index("| case | ") :]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= len(re.findall(r"def test_case_", tests)) > 9
