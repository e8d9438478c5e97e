"""Tests of routes: templates read strictly, tables without two answers, matches that cost what their path costs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.paths import parse_target
from gateway.policy.routes import (
    HISTORY,
    PARAMETER_TYPES,
    ParameterType,
    Route,
    RouteTable,
    Template,
    check_query,
    parse_template,
)

ID = "0b5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"


def route(match: str, *, types: Mapping[str, ParameterType] | None = None, **changes: Any) -> Route:
    template = parse_template(match, types)
    settings: dict[str, Any] = {"name": match, "upstream": template, "callers": frozenset({"backend"})}
    return Route(match=template, **{**settings, **changes})


def segments(path: str) -> tuple[str, ...]:
    return parse_target(path).segments


QUEUE = route("GET /api/v2/routing/queues/{queueId}/estimatedwaittime")
CLOSE = route("POST /api/v2/conversations/messaging/{conversationId}/close", owner="conversationId")
READ = route("GET /api/v2/conversations/{conversationId}")
DELETE = route("DELETE /api/v2/conversations/{conversationId}")
ME = route("GET /api/v2/conversations/me")
PAGE = route("GET /api/v2/pages/{number}/{name}", types={"number": "int", "name": "slug"})
KEY = route("GET /api/v2/keys/{key}", types={"key": "id"})
TABLE = RouteTable([QUEUE, CLOSE, READ, DELETE, ME, PAGE, KEY, HISTORY])


@pytest.mark.parametrize(
    ("method", "path", "expected", "parameters"),
    [
        ("GET", f"/api/v2/routing/queues/{ID}/estimatedwaittime", QUEUE, {"queueId": ID}),
        ("POST", f"/api/v2/conversations/messaging/{ID}/close", CLOSE, {"conversationId": ID}),
        ("GET", f"/api/v2/conversations/{ID}", READ, {"conversationId": ID}),
        ("DELETE", f"/api/v2/conversations/{ID.upper()}", DELETE, {"conversationId": ID.upper()}),
        ("GET", "/api/v2/conversations/me", ME, {}),
        ("GET", "/api/v2/pages/0/a", PAGE, {"number": "0", "name": "a"}),
        ("GET", "/api/v2/pages/42/some-page-2", PAGE, {"number": "42", "name": "some-page-2"}),
        ("GET", "/api/v2/keys/A_b-9", KEY, {"key": "A_b-9"}),
        ("GET", "/api/v2/webmessaging/messages", HISTORY, {}),
    ],
)
def test_a_request_finds_its_route(method: str, path: str, expected: Route, parameters: dict[str, str]) -> None:
    assert TABLE.match(method, segments(path)) == (expected, parameters)


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("GET", "/", errors.ROUTE_UNKNOWN),
        ("GET", "/api", errors.ROUTE_UNKNOWN),
        ("GET", "/api/v2/conversations", errors.ROUTE_UNKNOWN),
        ("GET", f"/api/v2/conversations/{ID}/more", errors.ROUTE_UNKNOWN),
        ("GET", f"/api/v2/conversations/messaging/{ID}", errors.ROUTE_UNKNOWN),
        ("GET", f"/api/v2/Conversations/{ID}", errors.ROUTE_UNKNOWN),
        ("GET", "/api/v2/users/me", errors.ROUTE_UNKNOWN),
        ("GET", f"/api/v2/routing/queues/{ID}", errors.ROUTE_UNKNOWN),
        ("HEAD", f"/api/v2/conversations/{ID}", errors.METHOD_NOT_ALLOWED),
        ("OPTIONS", f"/api/v2/conversations/{ID}", errors.METHOD_NOT_ALLOWED),
        ("get", f"/api/v2/conversations/{ID}", errors.METHOD_NOT_ALLOWED),
        ("PUT", f"/api/v2/conversations/{ID}", errors.METHOD_NOT_ALLOWED),
        ("POST", "/api/v2/conversations/me", errors.METHOD_NOT_ALLOWED),
        ("GET", "/api/v2/conversations/you", errors.ROUTE_PARAMETER),
        ("GET", f"/api/v2/conversations/{ID}x", errors.ROUTE_PARAMETER),
        ("GET", "/api/v2/conversations/two%20words", errors.ROUTE_PARAMETER),
        ("GET", "/api/v2/routing/queues/x/estimatedwaittime", errors.ROUTE_PARAMETER),
        ("GET", "/api/v2/pages/01/a", errors.ROUTE_PARAMETER),
        ("GET", "/api/v2/pages/-1/a", errors.ROUTE_PARAMETER),
        ("GET", "/api/v2/pages/1/A", errors.ROUTE_PARAMETER),
        ("GET", "/api/v2/pages/1/a--b", errors.ROUTE_PARAMETER),
        ("GET", "/api/v2/pages/x/a/b", errors.ROUTE_UNKNOWN),
        ("GET", "/api/v2/keys/" + "a" * 129, errors.ROUTE_PARAMETER),
        ("GET", "/api/v2/keys/-a", errors.ROUTE_PARAMETER),
        ("GET", "/api/v2/keys/a.b", errors.ROUTE_PARAMETER),
    ],
)
def test_any_other_request_is_refused_by_what_is_wrong(method: str, path: str, reason: Reason) -> None:
    with pytest.raises(Refusal) as caught:
        TABLE.match(method, segments(path))
    assert caught.value.reason is reason


def test_a_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(Refusal) as caught:
        TABLE.match("PUT", segments(f"/api/v2/conversations/{ID}"))
    assert caught.value.detail == "DELETE, GET"


def test_a_match_holds_all_that_method_and_path_say() -> None:
    path = segments(f"/api/v2/conversations/{ID}")
    found = TABLE.find("GET", path)
    assert (found.route, found.parameters) == TABLE.match("GET", path)
    assert found.upstream_path == found.route.upstream.fill(found.parameters)
    with pytest.raises(Refusal):
        TABLE.find("PUT", path)


def test_the_methods_of_a_path_are_known_to_preflights() -> None:
    assert TABLE.methods_at(segments(f"/api/v2/conversations/{ID}")) == ("DELETE", "GET")
    assert TABLE.methods_at(segments("/api/v2/nothing")) == ()


def test_a_literal_goes_before_a_parameter_but_does_not_hide_it() -> None:
    table = RouteTable([route("GET /a/b/c"), route("GET /a/{x}/d", types={"x": "id"})])
    assert table.match("GET", ("a", "b", "c"))[1] == {}
    assert table.match("GET", ("a", "b", "d"))[1] == {"x": "b"}


def test_a_literal_that_leads_nowhere_leaves_the_type_fault_visible() -> None:
    table = RouteTable([route("GET /a/b/c"), route("GET /a/{x}/d")])
    with pytest.raises(Refusal) as caught:
        table.match("GET", ("a", "b", "d"))
    assert caught.value.reason is errors.ROUTE_PARAMETER
    assert "uuid" in caught.value.detail


def test_a_type_fault_below_a_right_parameter_is_named() -> None:
    table = RouteTable([route("GET /a/{x}/{y}", types={"x": "id", "y": "int"})])
    with pytest.raises(Refusal) as caught:
        table.match("GET", ("a", "b", "c"))
    assert caught.value.reason is errors.ROUTE_PARAMETER
    assert "int" in caught.value.detail


def test_a_type_fault_looks_through_the_parameters_below() -> None:
    table = RouteTable([route("GET /a/{x}/{y}"), route("GET /a/{x}/b/{y}")])
    for path in (("a", "1", "2"), ("a", "1", "b", "2")):
        with pytest.raises(Refusal) as caught:
            table.match("GET", path)
        assert caught.value.reason is errors.ROUTE_PARAMETER


def test_the_method_decides_between_a_literal_and_a_parameter_of_one_path() -> None:
    table = RouteTable([route("GET /a/b"), route("POST /a/{x}", types={"x": "id"})])
    assert table.match("POST", ("a", "b"))[1] == {"x": "b"}
    assert table.methods_at(("a", "b")) == ("GET", "POST")


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (route("GET /a/{x}"), route("GET /a/{y}"), "match the same requests"),
        (route("GET /a/b"), route("GET /a/b"), "match the same requests"),
        (route("GET /a/{x}"), route("GET /a/{x}", types={"x": "id"}), "another route has"),
        (route("GET /a/{x}/b"), route("POST /a/{y}/c", types={"y": "int"}), "another route has"),
    ],
)
def test_two_routes_for_one_request_are_a_fault(first: Route, second: Route, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RouteTable([first, second])


@pytest.mark.parametrize(
    ("text", "types", "message"),
    [
        ("/a", {}, "METHOD"),
        ("GET", {}, "METHOD"),
        ("OPTIONS /a", {}, "METHOD"),
        ("get /a", {}, "METHOD"),
        ("GET  /a", {}, "no path"),
        ("GET a", {}, "no path"),
        ("GET /", {}, "no path"),
        ("GET /a/", {}, "segment ''"),
        ("GET /a//b", {}, "segment ''"),
        ("GET /a/..", {}, "segment '..'"),
        ("GET /a/*", {}, re.escape("segment '*'")),
        ("GET /a/b?c=d", {}, "segment"),
        ("GET /a/b%20c", {}, "segment"),
        ("GET /a/{}", {}, "segment"),
        ("GET /a/{b", {}, "segment"),
        ("GET /a/x{b}", {}, "segment"),
        ("GET /a/{b}/{b}", {}, "parameter twice"),
        ("GET /a/{b}", {"c": "int"}, "no parameter c"),
    ],
)
def test_a_template_that_is_none_is_a_fault(text: str, types: dict[str, ParameterType], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_template(text, types)


def test_a_template_writes_itself_and_fills_its_parameters() -> None:
    template = parse_template("PATCH /api/v2/conversations/{conversationId}/x")
    assert str(template) == "PATCH /api/v2/conversations/{conversationId}/x"
    assert template.parameters == ("conversationId",)
    assert template.fill({"conversationId": ID, "other": "y"}) == f"/api/v2/conversations/{ID}/x"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"upstream": parse_template("GET /b/{y}")}, "upstream uses"),
        ({"owner": "y"}, "owner y"),
        ({"auth": "oauth"}, "exactly when a client"),
        ({"client": "reader"}, "exactly when a client"),
        ({"cache_s": 5}, "only the answers of GET"),
        ({"answer": (("id",), ("", "x"))}, "a member without a name"),
    ],
)
def test_a_route_that_contradicts_itself_is_a_fault(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        route("POST /a/{x}", **changes)


def test_a_route_with_a_client_and_a_cache_is_sound() -> None:
    made = route("GET /a/{x}", auth="oauth", client="reader", cache_s=5, owner="x")
    assert (made.client, made.cache_s) == ("reader", 5)


LISTED = route("GET /a", query=frozenset({"pageSize", "expand"}))


@pytest.mark.parametrize("query", ["", "?", "?pageSize=25", "?expand=a&pageSize=1"])
def test_a_listed_query_passes(query: str) -> None:
    check_query(LISTED, parse_target(f"/a{query}"))


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("?other=1", "other is not listed"),
        ("?pageSize=1&other", "other is not listed"),
        ("?PageSize=1", "PageSize is not listed"),
        ("?pageSize=1&pageSize=1", "more than once"),
    ],
)
def test_any_other_query_is_refused(query: str, detail: str) -> None:
    with pytest.raises(Refusal, match=detail) as caught:
        check_query(LISTED, parse_target(f"/a{query}"))
    assert caught.value.reason is errors.ROUTE_QUERY


@given(st.sampled_from(sorted(PARAMETER_TYPES)), st.text(max_size=60))
def test_no_parameter_holds_what_could_change_the_path(kind: ParameterType, value: str) -> None:
    if PARAMETER_TYPES[kind].fullmatch(value):
        assert not set("/\\%?#;.:@ ") & set(value)
        assert value.isascii()


@given(st.lists(st.sampled_from(["api", "v2", "conversations", "me", ID, "x", "messaging", "close"]), max_size=7))
def test_a_match_is_the_template_filled_again(path: list[str]) -> None:
    try:
        found, parameters = TABLE.match("GET", tuple(path))
    except Refusal:
        return
    assert found.match.fill(parameters) == "/" + "/".join(path)


def test_a_match_costs_the_same_among_many_routes() -> None:
    steps = 0

    class Counting(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            nonlocal steps
            steps += 1
            return super().get(key, default)

    table = RouteTable([route(f"GET /api/r{n}/{{x}}/end") for n in range(3000)])
    node = table._root
    todo = [node]
    while todo:
        node = todo.pop()
        todo += node.literals.values()
        todo += [node.below] if node.below is not None else []
        node.literals = Counting(node.literals)
    table.match("GET", ("api", "r2999", ID, "end"))
    assert steps <= 4


def test_a_very_long_path_does_not_exhaust_the_stack() -> None:
    with pytest.raises(Refusal) as caught:
        TABLE.match("GET", ("a",) * 2048)
    assert caught.value.reason is errors.ROUTE_UNKNOWN


def test_templates_are_values() -> None:
    assert parse_template("GET /a/{b}") == Template("GET", ("a", ("b", "uuid")))


def test_a_table_tells_its_routes_in_order_and_a_route_that_does_not_fit_leaves_it_as_it_was() -> None:
    first = Route("one", parse_template("GET /a/{id}"), parse_template("GET /a/{id}"), frozenset())
    second = Route("two", parse_template("GET /a/{other}"), parse_template("GET /a/{other}"), frozenset())
    table = RouteTable([HISTORY, first])
    with pytest.raises(ValueError, match="match the same requests"):
        table.add(second)
    assert table.routes == (HISTORY, first)
