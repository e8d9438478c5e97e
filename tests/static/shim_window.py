"""A page with Zendesk's old calls: how a row is called as JavaScript, and how to see what came of it, in both modes."""

from typing import Any

from gateway.web.shim_table import ShimRow, read_table
from tests.static.conftest import Visit
from tests.static.genesys_double import GENESYS_DOUBLE
from tests.static.shim_cases import BY_ACTION, BY_CALL, FIELD, TRIED, Case
from tests.static.stand_in import STATIC_DIR

ROWS = read_table(STATIC_DIR)
MODES = ("proxied", "messenger")
ZENDESK = {"fields": {FIELD: "order_number"}, "departments": {"Sales": "sales", "Support": "support"}}
# What every page of these tests has beside its own code: how to wait, look and make things happen.
TOOLS = """
window.out = {};
const happened = {};
window.heard = (event) => new Promise((done) => {
  if (happened[event]) done();
  else { const stop = gateway.on(event, () => { stop(); done(); }); }
});
window.listen = () => {
  for (const name of ['ready', 'open', 'close', 'started', 'ended', 'message', 'guest', 'shown', 'state']) {
    gateway.on(name, () => { happened[name] = true; });
  }
};
window.zRule = (value) => {
  const panel = document.querySelector('gateway-chat');
  if (panel) return panel.style.getPropertyValue('--gateway-z') === value;
  return document.adoptedStyleSheets.some((sheet) => sheet.cssRules[0].cssText.includes(`z-index: ${value} `));
};
window.offline = async () => {
  const become = (wanted) => new Promise((done) => {
    const stop = gateway.on('state', (state) => { if (state === wanted) { stop(); done(); } });
  });
  const offline = become('offline');
  if (window.seen) seen.pub('MessagingService.offline');
  else {
    const online = become('online');
    zE('messenger', 'open');
    await online;
    await window.network(true);
  }
  await offline;
};
window.look = () => {
  const panel = document.querySelector('gateway-chat');
  const style = getComputedStyle(panel);
  const get = (name) => style.getPropertyValue(`--gateway-${name}`).trim();
  return {
    open: panel.isOpen, hidden: panel.hidden, lang: panel.lang, side: panel.getAttribute('side'), z: get('z'),
    accent: get('accent'), gap: get('gap'),
    label: panel.shadowRoot.querySelector('.launcher').getAttribute('aria-label'),
  };
};
"""


def call_of(call: str, args: str) -> str:
    """A row's call as JavaScript."""
    call = call.replace(":*", ":any").replace(".*", ".any")
    if call in ("zE (function)", "zE {locale}", "$zopim (function)"):
        return f"{call.split()[0]}({args})"
    if call.startswith("zE "):
        return f"zE.{call[3:]}({args})"
    if call.startswith("livechat."):
        return f"$zopim.{call}({args})"
    if call.startswith("genesyscloud init"):
        key = call.removeprefix("genesyscloud init").strip().replace("*", "any")
        return f"genesyscloud.widget.init({f'{{ {key}: {args} }}' if key else args})"
    group, name = call.split(" ", 1)
    return f"zE('{group}', '{name}'{', ' + args if args else ''})"


def settings_of(call: str, args: str) -> str:
    """A row of window.zESettings as the page sets it before the script."""
    path = call.removeprefix("zESettings ").replace(".*", ".any").replace("*", "any").split(".")
    if path[:2] == ["launcher", "label"]:
        path = ["launcher", "label", "*"]
    value = args
    for step in reversed(path):
        value = f"{{ '{step}': {value} }}"
    return f"window.zESettings = {{ webWidget: {value} }};"


def case_of(row: ShimRow) -> Case:
    """The case of a row: its own, or that of its action."""
    if row.call.startswith("zESettings") and row.does == "nothing":
        return Case("'x'")
    return BY_CALL.get(row.call) or (Case(TRIED) if row.does == "on" else BY_ACTION[row.does])


class Seen:
    """What a case says must be seen, looked for in one window."""

    def __init__(self, visit: Visit, mode: str) -> None:
        self.visit = visit
        self.mode = mode

    async def attributes(self) -> dict[str, Any]:
        """What rides along with the next message."""
        if self.mode == "messenger":
            await self.visit.run("await new Promise((done) => setTimeout(done));")
            told = await self.visit.run("return seen.commands.filter(([name]) => name === 'Database.set').pop();")
            found: dict[str, Any] = told[1]["messaging"]["customAttributes"]
            return found
        await self.visit.run("zE('messenger', 'sendMessage', 'probe');")
        await self.visit.gateway.until(lambda: "probe" in self.visit.gateway.sent())
        (frame,) = (each for each in self.visit.gateway.frames if each.get("message", {}).get("text") == "probe")
        found = frame["message"].get("channel", {}).get("metadata", {}).get("customAttributes", {})
        return dict(found)

    async def command(self, name: str) -> None:
        """Genesys got the command; `waits` because a page's call ends before the chat has done it."""
        await self.visit.page.wait_for_function("(name) => seen.commands.some(([each]) => each === name)", arg=name)

    async def panel(self, wanted: dict[str, Any]) -> None:
        """The panel looks as wanted."""
        script = (
            "(wanted) => { const now = look(); return Object.keys(wanted).every((key) => now[key] === wanted[key]); }"
        )
        try:
            await self.visit.page.wait_for_function(script, arg=wanted, timeout=30_000)
        except Exception as exc:
            raise AssertionError(f"wanted {wanted}, seen {await self.visit.run('return look();')}") from exc

    async def out(self, wanted: dict[str, Any]) -> None:
        """The page's callbacks got what is wanted."""
        script = (
            "(wanted) => { const got = Object.fromEntries(Object.keys(wanted).map((key) => [key, out[key]]));"
            " return JSON.stringify(wanted) === JSON.stringify(got); }"
        )
        try:
            await self.visit.page.wait_for_function(script, arg=wanted, timeout=30_000)
        except Exception as exc:
            raise AssertionError(f"wanted {wanted}, got {await self.visit.run('return out;')}") from exc

    async def sent(self, text: str) -> None:
        """The text was sent as the visitor's."""
        if self.mode == "proxied":
            await self.visit.gateway.until(lambda: text in self.visit.gateway.sent())
        else:
            script = (
                "(text) => seen.commands.some(([name, told]) => name.endsWith('sendMessage') && told.message === text)"
            )
            await self.visit.page.wait_for_function(script, arg=text)

    async def token(self, token: str) -> None:
        """The gateway was given the visitor's token."""
        await self.visit.gateway.until(lambda: token in self.visit.gateway.proofs())

    async def counted(self, call: str) -> None:
        """The call is reported to the gateway by the name of its row."""
        await self.visit.run("window.dispatchEvent(new Event('pagehide'));")
        await self.visit.gateway.until(lambda: call in self.visit.gateway.reported("calls"))

    async def happen(self, what: str) -> None:
        """Make it happen as a visitor, an agent or Genesys would."""
        visit = self.visit
        if what in ("open", "close"):
            await visit.run("zE('messenger', 'open'); await heard('open');")
            if what == "close":
                await visit.run("zE('messenger', 'close'); await heard('close');")
            return
        await visit.run("zE('messenger', 'sendMessage', 'hi'); await heard('started');")
        if self.mode == "messenger":
            await visit.run("zE('messenger', 'close'); await heard('close');")
            fields = "direction: 'Outbound', type: 'Text', text: 'x', originatingEntity: 'Human'"
            message = f"{{ messages: [{{ id: 'm', {fields} }}] }}"
            events = {
                "message": f"seen.pub('MessagingService.messagesReceived', {message});",
                "ended": "seen.pub('MessagingService.conversationDisconnected');",
                "shown": "seen.pub('MessagingService.oldMessages');",
            }
            await visit.run(events.get(what, ""))
        elif what == "message":
            await visit.gateway.say("from a person", originatingEntity="Human")
        elif what == "ended":
            await visit.run("zE('webWidget', 'chat:end');")
        elif what == "shown":
            await visit.gateway.close_sockets(1001)


async def load(visit: Visit, mode: str, before: str = "") -> None:
    """Load the page with a chat of this mode, and wait until the chat is there."""
    visit.gateway.restart()
    visit.console.ours.clear()
    visit.gateway.settings = {"mode": mode, "zendesk": ZENDESK}
    visit.gateway.genesys_script = GENESYS_DOUBLE
    visit.site.before = TOOLS + before
    visit.site.after = "window.ready = heard('ready'); listen();"
    await visit.context.set_offline(False)
    await visit.page.goto(visit.site.url)
    await visit.run("await window.ready;")


async def visit_with(visit: Visit, mode: str, before: str = "", after: str = "") -> None:
    """A page of its own, opened without waiting for the chat."""
    visit.gateway.settings = {"mode": mode, "zendesk": ZENDESK}
    visit.gateway.genesys_script = GENESYS_DOUBLE
    visit.site.before = TOOLS + before
    visit.site.after = "window.ready = heard('ready'); listen();" + after
    await visit.page.goto(visit.site.url)
