"""Every spelling of a region resolves, and what is none is named for what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.policy.regions import Region, RegionTable, RegionUnknown, custom_region, hosts_of, parse_regions

DATA: dict[str, Any] = orjson.loads(
    (Path(__file__).resolve().parents[2] / "gateway" / "data" / "genesys-regions.json").read_bytes()
)
TABLE = parse_regions(DATA)


@pytest.mark.parametrize("row", DATA["regions"], ids=lambda row: str(row["aws_region"]))
def test_every_host_of_the_data_follows_from_the_domain_and_leads_back(row: dict[str, Any]) -> None:
    region = TABLE.resolve(row["aws_region"])
    hosts = hosts_of(region, {})
    assert hosts.api == row["api_base"]
    assert f"{hosts.login}/oauth/token" == row["token_url"]
    assert hosts.cdn == f"https://{row['api_cdn_host']}"
    assert f"{hosts.webmessaging}/v1" == row["webmessaging_url"]
    assert hosts.script_url == row["messenger_script_url"]
    assert hosts.environment == row["messenger_environment"]
    spellings = (
        "sdk_enum",
        "short_code",
        "domain",
        "messenger_environment",
        "api_base",
        "login_host",
        "webmessaging_url",
    )
    assert {TABLE.resolve(row[name]) for name in spellings} == {region}
    assert {TABLE.resolve(f"apps.{alias}") for alias in row["domain_aliases"]} <= {region}


@pytest.mark.parametrize(
    ("text", "aws_region"),
    [
        ("  EU-West-1 ", "eu-west-1"),
        ("dublin", "eu-west-1"),
        ("ireland", "eu-west-1"),
        ("sydney", "ap-southeast-2"),
        ("prod", "us-east-1"),
        ("fedramp-use2", "us-east-2"),
        ("https://api.mypurecloud.com.au:443/api/v2/x?y#z", "ap-southeast-2"),
        ("user@login.mypurecloud.de", "eu-central-1"),
        ("apps.usw2.pure.cloud/directory", "us-west-2"),
        ("shyrka-prod-euw1.s3.eu-west-1.amazonaws.com", "eu-west-1"),
    ],
)
def test_people_spell_regions_in_many_ways(text: str, aws_region: str) -> None:
    assert TABLE.resolve(text).aws_region == aws_region


@pytest.mark.parametrize(
    ("text", "words", "nearest"),
    [
        ("eu-west-9", "near:", ("eu-west-2", "eu-west-1", "us-west-2")),
        ("api.eu-west-1.genesys.cloud", "api.mypurecloud.ie", ("eu-west-1",)),
        ("https://api.us.genesys.cloud/oauth2/token", "api.mypurecloud.com", ("us-east-1",)),
        ("api.sa-east-1.genesys.cloud", "api.sae1.pure.cloud", ("sa-east-1",)),
        ("api.eu.genesys.cloud", "ambiguous", ()),
        ("platform.genesys.cloud", "no host of Genesys Cloud", ()),
        ("platformapi.mypurecloud.com", "no host of Genesys Cloud", ()),
        ("acme.mygen.com", "no host per customer", ()),
        ("api-na1.niceincontact.com", "NICE CXone", ()),
        ("acme.zendesk.com", "Zendesk", ()),
        ("inindca.com", "internal", ()),
        ("evil.mypurecloud.ie.attacker.example", "names no Genesys Cloud region", ()),
        ("", "names no Genesys Cloud region", ()),
    ],
)
def test_what_is_no_region_is_named_with_what_is_right(text: str, words: str, nearest: tuple[str, ...]) -> None:
    with pytest.raises(RegionUnknown) as caught:
        TABLE.resolve(text)
    assert words in str(caught.value)
    assert caught.value.nearest == nearest
    assert caught.value.text == text


def test_a_longer_domain_is_not_taken_for_the_shorter_one_in_it() -> None:
    with pytest.raises(RegionUnknown):
        TABLE.resolve("api.notmypurecloud.ie")


def test_an_override_replaces_one_host_and_the_script_follows_the_apps_host() -> None:
    hosts = hosts_of(TABLE.resolve("euw1"), {"apps": "http://127.0.0.1:8095/"})
    assert (hosts.apps, hosts.api) == ("http://127.0.0.1:8095", "https://api.mypurecloud.ie")
    assert hosts.script_url == "http://127.0.0.1:8095/genesys-bootstrap/genesys.min.js"
    assert hosts.csp_hosts.script_src == ("http://127.0.0.1:8095",)


def test_an_override_of_no_endpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="no such endpoint: streaming"):
        hosts_of(TABLE.resolve("euw1"), {"streaming": "wss://x"})


def test_a_page_of_an_older_region_must_allow_both_of_its_domains() -> None:
    csp = hosts_of(TABLE.resolve("eu-west-1"), {}).csp_hosts
    assert csp.script_src == ("https://apps.mypurecloud.ie", "https://apps.euw1.pure.cloud")
    assert "wss://webmessaging.euw1.pure.cloud" in csp.connect_src
    assert "https://shyrka-prod-euw1.s3.eu-west-1.amazonaws.com" in csp.connect_src


def test_a_region_without_an_upload_host_names_none() -> None:
    csp = hosts_of(TABLE.resolve("eusc-de-east-1"), {}).csp_hosts
    assert not any("shyrka" in host for host in csp.connect_src)


def test_a_region_that_the_table_does_not_know_carries_its_own_name() -> None:
    region = custom_region("xx-new-1", "new.example")
    assert hosts_of(region, {}).api == "https://api.new.example"
    assert region.lifecycle == "custom"


def test_two_regions_with_one_spelling_are_refused() -> None:
    first = custom_region("aa", "a.example")
    with pytest.raises(ValueError, match="share the spelling aa"):
        RegionTable([first, Region("bb", "aa", "bb", "bb", "b.example", (), "bb", None, "custom", "custom")], {}, {})
