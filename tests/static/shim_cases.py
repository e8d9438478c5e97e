"""One case for each row of Zendesk's calls: how a page calls it, and what must have happened, in both modes.

A case names what it expects by the words of `Seen` in shim_window.py. `args` is JavaScript; `out` is an object of the
page in which callbacks leave what they got. Where a row has no case of its own, the case of its action holds.
"""

from dataclasses import dataclass, field
from typing import Any

FIELD = "360012345678"
JWT = "(give) => give('ada.jwt')"


@dataclass(frozen=True)
class Case:
    """What to call and what to see afterwards; an empty expectation means that nothing may go wrong."""

    args: str = ""
    first: str = ""
    then: str = ""
    value: Any = None
    """What the call itself gives back."""
    out: dict[str, Any] = field(default_factory=dict)
    panel: dict[str, Any] = field(default_factory=dict)
    """Proxied: what the panel looks like."""
    command: str = ""
    """Messenger: a command that Genesys got."""
    attributes: dict[str, str | None] = field(default_factory=dict)
    sent: str = ""
    token: str = ""
    """The visitor token that the gateway was given."""
    asked: str = ""
    """Proxied: a call that the gateway got."""
    console: str = ""
    happens: str = ""
    """What is made to happen after the call, and heard by its listener into `out.heard`."""


TRIED = "(...heard) => { out.heard = heard; out.times = (out.times ?? 0) + 1; }"
ADA = {"zd_claimed_name": "Ada", "zd_claimed_email": "ada@shop.example"}
BY_ACTION: dict[str, Case] = {
    "nothing": Case("'x', 1, null"),
    "callback": Case("() => { out.called = true; }", out={"called": True}),
    "show": Case(first="zE('messenger', 'hide');", panel={"hidden": False}, command="Launcher.show"),
    "hide": Case(panel={"hidden": True}, command="Launcher.hide"),
    "open": Case(panel={"open": True}, command="Messenger.open"),
    "close": Case(
        first="zE('messenger', 'open'); await heard('open');", panel={"open": False}, command="Messenger.close"
    ),
    "toggle": Case(panel={"open": True}, command="Messenger.open"),
    "embedded": Case(
        "{ mode: 'embedded', widget: { targetElement: '#own' } }",
        panel={"open": True},
        command="Messenger.open",
        console="embedded",
    ),
    "noVoice": Case("'line-1'", panel={"open": True}, command="Messenger.open", console="voice"),
    "noDelegate": Case("() => { out.called = true; }", console="no equivalent"),
    "login": Case(f"{JWT}, (error) => {{ out.done = error; }}", out={"done": None}, token="ada.jwt"),
    "logout": Case(
        first=f"await new Promise((done) => zE('messenger', 'loginUser', {JWT}, done));",
        command="Auth.logout",
        asked="end",
    ),
    "reset": Case(
        "() => { out.done = true; }",
        first="zE('messenger', 'sendMessage', 'before', null); await heard('started');",
        out={"done": True},
        command="MessagingService.clearConversation",
        asked="end",
    ),
    "newConversation": Case(
        f"{{ metadata: {{ 'zen:ticket_field:{FIELD}': 'A1', 'zen:ticket:tags': 'vip' }} }},"
        " (error, { id }) => { out.id = typeof id; }",
        out={"id": "string"},
        panel={"open": True},
        command="Messenger.open",
        attributes={"order_number": "A1", "zd_tags": "vip"},
    ),
    "sendMessage": Case("'hello', 'any', (error) => { out.done = error; }", out={"done": None}, sent="hello"),
    "say": Case("'hello'", sent="hello"),
    "fetchConversations": Case(
        "0, (error, page) => { out.page = page; }", out={"page": {"conversations": [], "hasMore": False}}
    ),
    "config": Case("(config) => { out.locale = config.locale; }", out={"locale": "en"}),
    "locale": Case("'de'", panel={"lang": "de"}, attributes={"zd_locale": "de"}),
    "localeOf": Case("{ locale: 'fr' }", panel={"lang": "fr"}, attributes={"zd_locale": "fr"}),
    "zIndex": Case("12345", panel={"z": "12345"}, out={"rule": True}, then="out.rule = zRule('12345');"),
    "colour": Case("'#112233'", panel={"accent": "#112233"}),
    "colours": Case("{ primary: '#112233' }", panel={"accent": "#112233"}),
    "position": Case("'bl'", panel={"side": "left"}),
    "gap": Case("'40px'", panel={"gap": "40px"}),
    "customization": Case(
        "{ theme: { primary: '#112233' }, position: 'left' }", panel={"accent": "#112233", "side": "left"}
    ),
    "fields": Case(
        f"[{{ id: '{FIELD}', value: 'A1' }}, {{ id: 'email', value: 'x' }}], () => {{ out.done = true; }}",
        out={"done": True},
        attributes={"order_number": "A1"},
        console="zendesk.unknown_field",
    ),
    "tags": Case("['one', 'two']", attributes={"zd_tags": "one,two"}),
    "addTags": Case("'one', 'two'", attributes={"zd_tags": "one,two"}),
    "removeTags": Case(
        "['one']", first="zE('messenger:set', 'conversationTags', ['one', 'two']);", attributes={"zd_tags": "two"}
    ),
    "identify": Case(
        "{ name: 'Ada', email: 'ada@shop.example', organization: 'Acme' }",
        attributes={**ADA, "zd_claimed_organization": "Acme"},
    ),
    "prefill": Case(
        "{ name: { value: 'Ada', readOnly: true }, email: { value: 'ada@shop.example' }, phone: { value: '+441' } }",
        attributes={**ADA, "zd_claimed_phone": "+441"},
    ),
    "setVisitor": Case(
        "{ name: 'Ada', email: 'ada@shop.example', language: 'de', color: '#112233' }",
        attributes={**ADA, "zd_locale": "de"},
        panel={"lang": "de", "accent": "#112233"},
    ),
    "setName": Case("'Ada'", attributes={"zd_claimed_name": "Ada"}),
    "setEmail": Case("'ada@shop.example'", attributes={"zd_claimed_email": "ada@shop.example"}),
    "setPhone": Case("'+441'", attributes={"zd_claimed_phone": "+441"}),
    "clear": Case(
        first="zE('webWidget', 'identify', { name: 'Ada' }); zE('webWidget', 'chat:addTags', 'kept');",
        attributes={"zd_claimed_name": None, "zd_tags": "kept"},
    ),
    "path": Case(
        "{ url: 'https://shop.example/cart?card=4111', title: 'Cart' }",
        attributes={"zd_page_url": "https://shop.example/cart", "zd_page_title": "Cart"},
    ),
    "department": Case("'Sales'", attributes={"zd_department": "sales"}),
    "noDepartment": Case(
        first="$zopim.livechat.departments.setVisitorDepartment('Sales'); $zopim.livechat.addTags('kept');",
        attributes={"zd_department": None, "zd_tags": "kept"},
    ),
    "getDisplay": Case(
        value="hidden", then="zE('messenger', 'open'); await heard('open'); out.after = again();", out={"after": "chat"}
    ),
    "getOpen": Case(
        value=False, then="zE('messenger', 'open'); await heard('open'); out.after = again();", out={"after": True}
    ),
    "getIsChatting": Case(
        value=False,
        then="zE('messenger', 'sendMessage', 'hi'); await heard('started'); out.after = again();",
        out={"after": True},
    ),
    "getDepartment": Case("'Sales'", value={"id": 0, "name": "Sales", "status": "online"}),
    "departmentOf": Case("'Support'", value={"id": 1, "name": "Support", "status": "online"}),
    "getDepartments": Case(
        value=[
            {"id": 0, "name": "Sales", "status": "online"},
            {"id": 1, "name": "Support", "status": "online"},
        ]
    ),
    "end": Case(
        first="zE('messenger', 'sendMessage', 'before'); await heard('started');",
        command="MessagingService.clearConversation",
        asked="end",
    ),
    "authenticate": Case("{ jwtFn: (give) => give('ada.jwt') }", token="ada.jwt"),
    "reauthenticate": Case(
        first="window.n = 0; $zopim.livechat.authenticate({ jwtFn: (give) => give('jwt.' + (n += 1)) });"
        " await heard('guest');",
        token="jwt.2",
    ),
    "updateSettings": Case("{ webWidget: { color: { theme: '#112233' } } }", panel={"accent": "#112233"}),
    "hideWhenOffline": Case("true", then="await offline();", panel={"hidden": True}, command="Launcher.hide"),
    "onShow": Case(TRIED, happens="open", out={"times": 1}),
    "onHide": Case(TRIED, happens="close", out={"times": 1}),
    "onConnected": Case(TRIED, out={"times": 1}),
    "onChatStart": Case(TRIED, happens="started", out={"times": 1}),
    "onChatEnd": Case(TRIED, happens="ended", out={"times": 1}),
    "onStatus": Case(TRIED, out={"heard": ["online"]}),
    "onUnread": Case(TRIED, happens="message", out={"heard": [1]}),
    "init": Case(
        "{ organizationId: 'o', loginUrl: 'https://x.example/v2/oauth/token', clientId: 'c', debug: true }",
        panel={"hidden": False},
        console="gateway: loginUrl",
    ),
    "explained": Case("'x'", console="Not"),
    "exposed": Case("'x'", console="withdraw it"),
    "debugOn": Case("true", then="zE('messenger', 'open'); await heard('open');", console="gateway: open"),
}

# Rows of window.zESettings: what the page sets before the script, as `path: value`.
BY_CALL: dict[str, Case] = {
    "zESettings authenticate.chat.jwtFn": Case(JWT, token="ada.jwt"),
    "zESettings authenticate.jwtFn": Case(JWT, token="ada.jwt"),
    "zESettings chat.departments.enabled": Case(
        "['Sales']",
        then="out.names = $zopim.livechat.departments.getAllDepartments().map(({ name }) => name);",
        out={"names": ["Sales"]},
    ),
    "zESettings chat.tags": Case("['one', 'two']", attributes={"zd_tags": "one,two"}),
    "zESettings chat.suppress": Case("true", panel={"hidden": True}, command="Launcher.hide"),
    "zESettings position.horizontal": Case("'left'", panel={"side": "left"}),
    "zESettings launcher.label.*": Case("'Ask us'", panel={"label": "Ask us"}),
    "zESettings *": Case("'x'"),
    "messenger:on open": Case(TRIED, happens="open", out={"times": 1}),
    "messenger:on close": Case(TRIED, happens="close", out={"times": 1}),
    "messenger:on unreadMessages": Case(TRIED, happens="message", out={"heard": [1]}),
    "messenger:on conversationStarted": Case(TRIED, happens="started", out={"times": 1}),
    "messenger:on conversationOpened": Case(TRIED, happens="open", out={"times": 1}),
    "messenger:on messagesShown": Case(TRIED, happens="shown", out={"times": 1}),
    "messenger:on messageReceived": Case(TRIED, happens="message", out={"times": 1}),
    "messenger:on conversationAgentAssigned": Case(TRIED, happens="message", out={"times": 1}),
    "webWidget:on open": Case(TRIED, happens="open", out={"times": 1}),
    "webWidget:on close": Case(TRIED, happens="close", out={"times": 1}),
    "webWidget:on chat:connected": Case(TRIED, out={"times": 1}),
    "webWidget:on chat:start": Case(TRIED, happens="started", out={"times": 1}),
    "webWidget:on chat:end": Case(TRIED, happens="ended", out={"times": 1}),
    "webWidget:on chat:status": Case(TRIED, out={"heard": ["online"]}),
    "webWidget:on chat:departmentStatus": Case(
        TRIED, then="await offline();", out={"heard": [{"id": 1, "name": "Support", "status": "offline"}]}
    ),
    "webWidget:on chat:unreadMessages": Case(TRIED, happens="message", out={"heard": [1]}),
    "webWidget:on userEvent": Case(TRIED, happens="close", out={"times": 2}),
}
OWN_TESTS = {"messenger:set cookies", "zESettings cookies"}
"""Rows that end or prevent the chat: each has a test of its own."""
