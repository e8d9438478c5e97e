"""The control port's page: conversations as the agent sees them, and the last requests with their headers.

Plain HTML without script; every value that came from outside is escaped.
"""

from __future__ import annotations

from html import escape
from string import Template

from gateway.mock import control_views
from gateway.mock.guest_model import Conversation
from gateway.mock.model import Json
from gateway.mock.recorder import Received
from gateway.mock.world import World

_SHOWN_REQUESTS = 40
_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>Mock Genesys</title>
<link rel="icon" href="data:,">
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;color:#1b1b1b;background:#fff}
header{background:#8a1c1c;color:#fff;padding:.6rem 1rem;border-radius:6px}
h1{font-size:1.2rem;margin:0}h2{font-size:1.05rem;margin:1.5rem 0 .5rem}
article{border:1px solid #bbb;border-radius:6px;padding:.6rem 1rem;margin:.6rem 0}
.guest{color:#124f7c}.agent{color:#3b5d14}.tag{border:1px solid currentColor;border-radius:9px;padding:0 .5rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.2rem .4rem;text-align:left;
vertical-align:top;overflow-wrap:anywhere}th{white-space:nowrap}td:nth-child(4){min-width:3rem}code{font-size:.85rem}
</style></head><body>
<header><h1>Mock Genesys: the agent's side of $org. This is not Genesys Cloud.</h1></header>
<main><h2>Conversations</h2>$conversations<h2>Last requests received</h2>
<table>
<thead><tr><th>no.</th><th>listener</th><th>request</th><th>status</th><th>bearer of</th><th>headers</th></tr></thead>
<tbody>$requests</tbody></table></main></body></html>
""")


def render(world: World) -> str:
    """Return the page as it is now."""
    newest = sorted(world.conversations.values(), key=lambda one: one.started_at, reverse=True)
    entries = [entry for entry in world.recorder.entries if entry.method != "FRAME"][-_SHOWN_REQUESTS:]
    return _PAGE.substitute(
        org=escape(world.org_name),
        conversations="".join(_conversation(world, one) for one in newest) or "<p>None yet.</p>",
        requests="".join(_request(one) for one in reversed(entries)),
    )


def _conversation(world: World, conversation: Conversation) -> str:
    view = control_views.as_agent_sees(world, conversation)
    who = f"signed in at Genesys: {view['external_id']}" if view["verified"] else "not signed in at Genesys"
    state = "running" if view["active"] else f"ended by {view['ended_by']}"
    data = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in view["participant_data"].items()
    )
    lines = "".join(_line(one) for one in view["messages"])
    return (
        f"<article><p><code>{escape(view['id'])}</code> <span class=tag>{escape(who)}</span> "
        f"<span class=tag>{escape(state)}</span></p>{lines}<table><tbody>{data}</tbody></table></article>"
    )


def _line(message: Json) -> str:
    side = "guest" if message["direction"] == "Inbound" else "agent"
    said = message["text"] if message["text"] is not None else f"({message['event'] or message['type']})"
    return f"<p class={side}>{escape(message['time'][11:19])} <b>{escape(message['from'])}</b>: {escape(str(said))}</p>"


def _request(entry: Received) -> str:
    headers = "<br>".join(f"{escape(name)}: {escape(value)}" for name, value in entry.headers.items())
    fault = f" <span class=tag>{escape(entry.fault)}</span>" if entry.fault else ""
    cells = (
        str(entry.number),
        escape(entry.target),
        f"{escape(entry.method)} {escape(entry.path)}{fault}",
        str(entry.status or ""),
        escape(entry.bearer_of or ""),
        f"<code>{headers}</code>",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
