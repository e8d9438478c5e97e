"""The init script and the payloads: rendered once, harmless, cacheable."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.assets import SETTINGS_MARKER, Assets, hashed_name, make_asset, script_json


@pytest.fixture
def static_dir(tmp_path: Path) -> Path:
    (tmp_path / "widget.js").write_text("(function (settings) { window.s = settings; })(" + SETTINGS_MARKER + ");\n")
    (tmp_path / "client.js").write_text("export const a = 1;\n" * 50)
    (tmp_path / "panel.js").write_text("export const b = 2;\n" * 50)
    for name in ("proxied", "messenger", "shim", "split"):
        (tmp_path / f"{name}.js").write_text("export const c = 3;\n")
    return tmp_path


def test_payload_names_hold_their_hash(static_dir: Path) -> None:
    assets = Assets(static_dir)
    name = assets.payload_names["client.js"]
    assert name == hashed_name("client.js", (static_dir / "client.js").read_bytes())
    assert assets.payload_settings()["client"] == {
        "url": f"/static/{name}",
        "integrity": assets.payloads[name].integrity,
    }


def test_a_payload_imports_its_neighbours_by_their_hashed_names(static_dir: Path) -> None:
    (static_dir / "panel.js").write_text('import { a } from "./client.js";\nexport const b = a;\n')
    before = Assets(static_dir)
    assert (
        f'from "./{before.payload_names["client.js"]}"'.encode()
        in before.payloads[before.payload_names["panel.js"]].body
    )
    (static_dir / "client.js").write_text("export const a = 2;\n")
    assert Assets(static_dir).payload_names["panel.js"] != before.payload_names["panel.js"]


def test_payloads_that_import_each_other_are_refused(static_dir: Path) -> None:
    (static_dir / "panel.js").write_text('import { a } from "./client.js";')
    (static_dir / "client.js").write_text('import { b } from "./panel.js";')
    with pytest.raises(ValueError, match="imports itself"):
        Assets(static_dir)


def test_a_payload_that_asks_for_it_knows_the_digests_of_all_its_parts(static_dir: Path) -> None:
    (static_dir / "panel.js").write_text('import { a } from "./client.js";\nexport const b = a;\n')
    (static_dir / "proxied.js").write_text('const PARTS = {} /* parts */;\nconst p = import("./panel.js");\n')
    assets = Assets(static_dir)
    first = assets.payloads[assets.payload_names["proxied.js"]].body.decode().splitlines()[0]
    known = json.loads(first.removeprefix("const PARTS = ").removesuffix(";"))
    hashed = [assets.payload_names[name] for name in ("client.js", "panel.js")]
    assert known == {f"/static/{name}": assets.payloads[name].integrity for name in hashed}


def test_the_script_holds_the_settings_in_place_of_the_marker(static_dir: Path) -> None:
    script = Assets(static_dir).render_script("shop", {"site": "shop"})
    assert script.body == b'(function (settings) { window.s = settings; })({"site": "shop"});\n'


def test_a_script_without_the_marker_is_refused(static_dir: Path) -> None:
    (static_dir / "widget.js").write_text("nothing")
    with pytest.raises(ValueError, match="exactly once"):
        Assets(static_dir)


def test_every_representation_is_the_same_bytes() -> None:
    asset = make_asset(b"x" * 500, "text/javascript")
    assert gzip.decompress(asset.gzip) == brotli.decompress(asset.brotli) == asset.body


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("BR", "br"),
        ("identity", None),
        ("gzip;q=oops", None),
    ],
)
def test_the_smallest_admitted_coding_is_chosen(header: str, coding: str | None) -> None:
    assert make_asset(b"x" * 500, "text/javascript").encoded(header)[1] == coding


@given(st.recursive(st.text() | st.integers() | st.booleans() | st.none(), lambda x: st.dictionaries(st.text(), x)))
def test_any_setting_is_harmless_in_a_script(value: object) -> None:
    text = script_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value
