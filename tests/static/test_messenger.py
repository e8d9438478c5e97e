"""Mode "messenger": the stock Messenger is started as Genesys documents it, and our sign-in stands behind it."""

import pytest

from tests.static.conftest import NONCE, Visit
from tests.static.stand_in import DEPLOYMENT_ID

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

# A dispatcher in the place of genesys.min.js: replaces the queueing function, drains the queue, remembers commands.
DISPATCHER = """
(() => {
  const queue = window.Genesys.q ?? [];
  const seen = window.seen = { config: window.Genesys.c, commands: [], subscribed: {}, published: [], commandsOf: {} };
  const plugin = {
    registerCommand: (name, act) => { seen.commandsOf[name] = act; },
    publish: (name, data) => seen.published.push([name, data]),
    ready: () => { seen.pluginReady = true; },
  };
  const act = {
    command: (name, options, ok) => { seen.commands.push([name, options]); ok?.(); },
    subscribe: (name, tell) => { seen.subscribed[name] = tell; if (name === 'Messenger.ready') tell({}); },
    registerPlugin: (name, start) => { seen.plugin = name; start(plugin); },
  };
  window.Genesys = (kind, ...args) => act[kind](...args);
  for (const call of queue) window.Genesys(...call);
})();
"""
ASK_CODE = (
    "return await new Promise((done) => seen.commandsOf.getAuthCode({"
    " resolve: (data) => done(['resolved', data]), reject: (why) => done(['rejected', why]) }));"
)


async def start(visit: Visit, script: str = DISPATCHER) -> None:
    """Open the page with a Messenger site and wait until it is ready."""
    visit.gateway.settings = {"mode": "messenger"}
    visit.gateway.genesys_script = script
    visit.site.after = "window.ready = new Promise((done) => window.gateway.on('ready', done));"
    await visit.page.goto(visit.site.url)
    await visit.run("await window.ready;")


async def test_the_documented_globals_carry_the_sites_deployment(visit: Visit) -> None:
    await start(visit)
    assert await visit.run("return window._genesysJs;") == "Genesys"
    config = await visit.run("return seen.config;")
    assert config == {"environment": "prod-euw1", "deploymentId": DEPLOYMENT_ID, "debug": False}


async def test_their_script_comes_from_their_address_with_the_pages_nonce(visit: Visit) -> None:
    visit.site.csp = visit.site.strict_csp()
    await start(visit)
    script = (
        "const tag = document.querySelector('script[src$=\"genesys.min.js\"]'); return [tag.src, tag.nonce, tag.async];"
    )
    assert await visit.run(script) == [f"{visit.gateway.url}/genesys.min.js", NONCE, True]


async def test_none_of_our_own_client_is_loaded(visit: Visit) -> None:
    loaded: list[str] = []
    visit.page.on("request", lambda request: loaded.append(request.url.rsplit("/", 1)[1].split(".")[0]))
    await start(visit)
    assert "messenger" in loaded
    assert {"client", "panel"}.isdisjoint(loaded)


@pytest.mark.parametrize(
    ("verb", "commands"),
    [
        ("open", ["Messenger.open"]),
        ("close", ["Messenger.close"]),
        ("show", ["Launcher.show"]),
        ("hide", ["Messenger.close", "Launcher.hide"]),
    ],
)
async def test_each_verb_is_their_command(visit: Visit, verb: str, commands: list[str]) -> None:
    await start(visit)
    await visit.run(f"window.gateway.{verb}(); await window.gateway.setContext({{}});")
    said = await visit.run("return seen.commands.map(([name]) => name);")
    assert [name for name in said if name != "Database.set"] == commands


async def test_context_goes_where_their_next_message_takes_it_along(visit: Visit) -> None:
    await start(visit)
    await visit.run("await window.gateway.setContext({ cart: '2' });")
    assert await visit.run("return seen.commands;") == [
        ["Database.set", {"messaging": {"customAttributes": {"cart": "2"}}}]
    ]


async def test_their_question_for_a_code_is_answered_with_a_fresh_one_each_time(visit: Visit) -> None:
    await start(visit)
    await visit.run("await window.gateway.signIn(() => 'ada.jwt');")
    first, second = await visit.run(ASK_CODE), await visit.run(ASK_CODE)
    assert first[0] == second[0] == "resolved"
    assert first[1]["authCode"] != second[1]["authCode"]
    assert {call["visitor_token"] for call in visit.gateway.asked("session")} == {"ada.jwt"}


async def test_nobody_signed_in_means_no_code_and_no_call(visit: Visit) -> None:
    await start(visit)
    assert await visit.run(ASK_CODE) == ["rejected", "visitor.not_signed_in"]
    assert visit.gateway.asked("auth-code") == []
    assert visit.console.ours == []


async def test_a_refused_proof_is_told_and_forgotten(visit: Visit) -> None:
    await start(visit)
    visit.gateway.refuse("session", 401, "visitor.expired", times=2)
    result = await visit.run("return await window.gateway.signIn('old.jwt');")
    assert (result["ok"], result["code"], result["requestId"]) == (False, "visitor.expired", "req-test-1")
    assert await visit.run(ASK_CODE) == ["rejected", "visitor.not_signed_in"]


async def test_signing_out_logs_out_there_and_forgets_the_proof_here(visit: Visit) -> None:
    await start(visit)
    await visit.run("await window.gateway.signIn('ada.jwt'); await window.gateway.signOut();")
    assert "Auth.logout" in await visit.run("return seen.commands.map(([name]) => name);")
    assert await visit.run(ASK_CODE) == ["rejected", "visitor.not_signed_in"]


async def test_a_script_that_cannot_be_loaded_is_one_clear_line(visit: Visit) -> None:
    visit.gateway.settings = {"mode": "messenger", "scriptUrl": f"{visit.gateway.url}/nowhere/genesys.js"}
    await visit.page.goto(visit.site.url)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert "messenger.unavailable" in visit.console.ours[0]


async def test_a_messenger_that_stays_silent_is_reported_with_the_likely_cause(visit: Visit) -> None:
    await visit.page.clock.install()
    visit.gateway.settings = {"mode": "messenger"}
    visit.gateway.genesys_script = "window.arrived = true;"
    await visit.page.goto(visit.site.url)
    await visit.page.wait_for_function("window.arrived")
    await visit.page.clock.run_for(30_001)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert "allowed domains" in visit.console.ours[0]


async def test_signing_in_opens_a_session_and_asks_genesys_to_authenticate(visit: Visit) -> None:
    await start(visit)
    await visit.run("await window.gateway.signIn(() => 'ada.jwt');")
    assert "Auth.reAuthenticate" in await visit.run("return seen.commands.map(([name]) => name);")
    assert [call["visitor_token"] for call in visit.gateway.asked("session")] == ["ada.jwt"]


async def test_signing_in_while_a_conversation_runs_steps_it_up(visit: Visit) -> None:
    await start(visit)
    await visit.run("seen.subscribed['MessagingService.started']({}); await window.gateway.signIn('ada.jwt');")
    assert "MessagingService.stepUpConversation" in await visit.run("return seen.commands.map(([name]) => name);")
    asked = "return await new Promise((done) => seen.commandsOf.signIn({ resolve: done, reject: done }));"
    assert (await visit.run(asked))["authCode"].startswith("gwc_")
    assert [name for name, _ in await visit.run("return seen.published;")] == ["signedIn"]


async def test_a_session_that_ended_without_a_word_is_proved_anew(visit: Visit) -> None:
    await start(visit)
    await visit.run("await window.gateway.signIn(() => 'ada.jwt');")
    visit.gateway.refuse("auth-code", 401, "session.invalid")
    assert (await visit.run(ASK_CODE))[0] == "resolved"
    assert len(visit.gateway.asked("session")) == 2


async def test_a_step_up_that_fails_is_told_to_genesys(visit: Visit) -> None:
    await start(visit)
    asked = "return await new Promise((done) => seen.commandsOf.signIn({ resolve: done, reject: done }));"
    assert await visit.run(asked) == "visitor.not_signed_in"
    assert await visit.run("return seen.published;") == [["signInFailed", {"code": "visitor.not_signed_in"}]]


async def test_signing_out_ends_the_session_at_the_gateway(visit: Visit) -> None:
    await start(visit)
    await visit.run("await window.gateway.signIn('ada.jwt'); await window.gateway.signOut();")
    assert len(visit.gateway.asked("end")) == 1


async def test_consent_withdrawn_ends_the_session_and_leaves_no_handle_behind(visit: Visit) -> None:
    await start(visit)
    await visit.run("await window.gateway.signIn('ada.jwt');")
    assert await visit.run("return sessionStorage.length;") == 1
    await visit.run("window.gateway.consent(false);")
    await visit.page.wait_for_function("seen.commands.some(([name]) => name === 'Messenger.clear')")
    assert await visit.run("return sessionStorage.length;") == 0
    assert len(visit.gateway.asked("end")) == 1
    assert await visit.run(ASK_CODE) == ["rejected", "visitor.not_signed_in"]


async def test_debug_tells_region_and_each_step_of_the_login_and_no_token(visit: Visit) -> None:
    visit.site.tag = "data-debug"
    await start(visit)
    await visit.run("await window.gateway.signIn(() => 'ada.jwt.secret');")
    assert (await visit.run(ASK_CODE))[0] == "resolved"
    steps = ["proof", "session", "code given"]
    told = [f'gateway: login {{"step":"{step}"}}' for step in steps]
    await visit.console.until(lambda: [line for line in visit.console.ours if " login " in line] == told)
    assert any('"mode":"messenger","region":"prod-euw1"' in line for line in visit.console.ours)
    assert not any(secret in line for line in visit.console.ours for secret in ("ada.jwt", "gwc_", "gws_"))
