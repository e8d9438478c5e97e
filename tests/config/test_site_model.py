"""The defaults of a site are those that admit least and say least."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.config.site_model import Migration, Site, Subject, Visitors

DEPLOYMENT = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"


def test_a_site_admits_nobody_by_default() -> None:
    site = Site(org="acme", deployment_id=DEPLOYMENT)
    assert (site.origins, site.visitors.anonymous, site.visitors.anonymous_socket) == ((), False, False)
    assert site.visitors.on_failure == "refuse"


def test_ids_are_keyed_and_not_traced_back_by_default() -> None:
    subject = Visitors().subject
    assert (subject.kind, subject.lookup_days, subject.allow_at) == ("hmac", 0, False)


def test_old_calls_work_and_everybody_gets_the_new_chat_by_default() -> None:
    site = Site(org="acme", deployment_id=DEPLOYMENT)
    assert (site.zendesk.calls, site.migration.share, site.migration.old_script) == (True, 100.0, None)


@pytest.mark.parametrize("wrong", ["ftp://a/b", "https://a/'b", 'https://a/"b', "https://a/<b>", "javascript:alert(1)"])
def test_an_old_script_is_an_address_and_nothing_else(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Migration(old_script=wrong)


@pytest.mark.parametrize("wrong", [{"kind": "sha1"}, {"brand": "a b"}, {"brand": ""}, {"lookup_days": 401}])
def test_a_subject_rule_that_does_not_exist_is_a_fault(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Subject.model_validate(wrong)


def test_the_namespace_is_not_in_the_repr() -> None:
    assert "canary" not in repr(Subject(kind="uuid5", namespace="canary"))
