"""Write docs/first-steps.md from a real run: `python -m tests.journeys.first_steps`, with `gateway demo` on its ports.

Each step is a shell command that runs as it is printed, with the variables that earlier steps have set; what it wrote
stands below it. Not a test; `test_first_steps.py` holds that no row of the surface is left out.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

PAGE_MD = Path(__file__).resolve().parents[2] / "docs" / "first-steps.md"
MOST_LINES = 30


@dataclass(frozen=True, slots=True)
class Step:
    """A command. `sets`: it is an assignment to this variable, and shows nothing."""

    command: str
    sets: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A row of the surface: what it is for, and how it is called."""

    title: str
    words: str
    steps: tuple[Step, ...]


HEADERS = "curl -s -o /dev/null -D -"
JSON = "curl -s -w '\\n'"
UPGRADE = (
    "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \\\n"
    "    -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='"
)
BACKEND = "-u 5e41ce00-0000-4000-8000-0000000000aa:demo-backend-key-never-use-it-elsewhere"
GENESYS = "-u genesys:demo-oidc-secret-never-use-it-elsewhere"
DEPLOYMENT = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
QUEUE = "d0000000-0000-4000-8000-000000000001"


def member(name: str) -> str:
    """The end of a pipe that takes one string member out of JSON."""
    return f"""sed -E 's/.*"{name}":"([^"]+)".*/\\1/'"""


SECTIONS = (
    Section(
        "The script: `GET /sites/{site}/widget.js`",
        "What a page embeds. It has an ETag, comes compressed, and holds no secret.",
        (
            Step(f"{HEADERS} $GATEWAY/sites/shop/widget.js"),
            Step(f"ETAG=$({HEADERS} $GATEWAY/sites/shop/widget.js | tr -d '\\r' | sed -n 's/^ETag: //p')", sets="ETAG"),
            Step("curl -s -o /dev/null -w '%{http_code}\\n' -H \"If-None-Match: $ETAG\" $GATEWAY/sites/shop/widget.js"),
            Step(
                "curl -s -o /dev/null -w '%{size_download} bytes\\n' -H 'Accept-Encoding: br' "
                "$GATEWAY/sites/shop/widget.js"
            ),
        ),
    ),
    Section(
        "Its payloads: `GET /static/{name}.{hash}.{ext}`",
        "Named by their content, so they never change; the script loads them with their digests.",
        (
            Step(
                "PAYLOAD=$(curl -s $GATEWAY/sites/shop/widget.js | grep -o '/static/[^\"]*' | head -1)",
                sets="PAYLOAD",
            ),
            Step(f'{HEADERS} -H "$PAGE" $GATEWAY$PAYLOAD'),
        ),
    ),
    Section(
        "May this page talk? `GET /sites/{site}/origin`",
        "The script asks first. This is the one refusal that pages of every origin may read, so that the developer of "
        "a page that is not listed sees why, and not just a network error.",
        (
            Step("curl -s -o /dev/null -w '%{http_code}\\n' -H \"$PAGE\" $GATEWAY/sites/shop/origin"),
            Step("curl -s -w '\\n' -H 'Origin: https://shop.example' $GATEWAY/sites/shop/origin"),
        ),
    ),
    Section(
        "A session: `POST /sites/{site}/session`",
        "Nothing in, an anonymous guest out. The same call with the handle renews it; with the token that the shop's "
        "server signed, the guest becomes a verified one and keeps its conversation; `DELETE` ends it.",
        (
            Step(f'{JSON} -X POST -H "$PAGE" $GATEWAY/sites/shop/session'),
            Step(
                f'SESSION=$(curl -s -X POST -H "$PAGE" $GATEWAY/sites/shop/session | {member("session_token")})',
                sets="SESSION",
            ),
            Step(f'{JSON} -X POST -H "$PAGE" -H "Authorization: Bearer $SESSION" $GATEWAY/sites/shop/session'),
            Step(
                "TOKEN=$(curl -s -c $JAR -X POST $SHOP/sign-in; curl -s -b $JAR -X POST $SHOP/token | "
                f"{member('token')})".replace('":"', '": *"'),
                sets="TOKEN",
            ),
            Step(
                f"SESSION=$(curl -s -X POST -H \"$PAGE\" -H 'Content-Type: application/json' \\\n"
                '    -d "{\\"visitor_token\\": \\"$TOKEN\\"}" $GATEWAY/sites/shop/session | '
                f"tee /dev/stderr | {member('session_token')})",
                sets="SESSION",
            ),
        ),
    ),
    Section(
        "A ticket: `POST /sites/{site}/ticket`",
        "Opens one socket within thirty seconds; browsers cannot send headers with a WebSocket.",
        (Step(f'{JSON} -X POST -H "$PAGE" -H "Authorization: Bearer $SESSION" $GATEWAY/sites/shop/ticket'),),
    ),
    Section(
        "The socket: `GET /sites/{site}/v1` and `GET /v1?deploymentId=`",
        "The Guest API. The 101 comes only after Genesys has accepted; the ticket goes in as a sub-protocol. As "
        "shipped, the demo also takes native clients without a ticket. (curl then waits, until `-m` ends it.)",
        (
            Step(
                f'TICKET=$(curl -s -X POST -H "$PAGE" -H "Authorization: Bearer $SESSION" '
                f"$GATEWAY/sites/shop/ticket | {member('ticket')})",
                sets="TICKET",
            ),
            Step(
                f'{HEADERS} -m 1 -H "$PAGE" {UPGRADE} \\\n    -H "Sec-WebSocket-Protocol: gateway.v1, ticket.$TICKET" '
                f'"$GATEWAY/sites/shop/v1?deploymentId={DEPLOYMENT}"'
            ),
            Step(f'{HEADERS} -m 1 -H "$PAGE" {UPGRADE} \\\n    "$GATEWAY/v1?deploymentId={DEPLOYMENT}"'),
        ),
    ),
    Section(
        "A code for the Messenger: `POST /sites/{site}/auth-code`",
        "What `AuthProvider.getAuthCode` resolves, for a signed-in visitor.",
        (Step(f'{JSON} -X POST -H "$PAGE" -H "Authorization: Bearer $SESSION" $GATEWAY/sites/shop/auth-code'),),
    ),
    Section(
        "The beacon: `POST /sites/{site}/beacon`",
        "Failures that the script saw in pages; counted, never stored.",
        (
            Step(
                f'{HEADERS} -X POST -H "$PAGE" -d \'{{"kind": "failure", "name": "payload.unavailable"}}\' '
                "$GATEWAY/sites/shop/beacon"
            ),
        ),
    ),
    Section(
        "The token endpoint: `POST /oauth/token`, also `/login/oauth/token`",
        "A backend sends its id and key and gets a handle that works here only; the official SDKs do just this. With "
        "RFC 8693 it exchanges a visitor's token for a guest session.",
        (
            Step(f"{JSON} {BACKEND} -d grant_type=client_credentials $GATEWAY/oauth/token"),
            Step(f"{JSON} {BACKEND} -d grant_type=client_credentials $GATEWAY/login/oauth/token"),
            Step(
                f"{JSON} {BACKEND} -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \\\n"
                "    -d subject_token_type=urn:ietf:params:oauth:token-type:jwt -d subject_token=$TOKEN "
                "$GATEWAY/oauth/token"
            ),
        ),
    ),
    Section(
        "Proxied REST: `/api/v2/...` and `/sites/{site}/api/v2/...`",
        "Only routes of the configuration exist, and of conversations only those of the caller's own site (this id is "
        "none of theirs). The bearer that Genesys sees is the gateway's own.",
        (
            Step(
                f"HANDLE=$(curl -s {BACKEND} -d grant_type=client_credentials $GATEWAY/oauth/token | "
                f"{member('access_token')})",
                sets="HANDLE",
            ),
            Step(
                f'curl -si -H "Authorization: Bearer $HANDLE" \\\n'
                f"    $GATEWAY/api/v2/routing/queues/{QUEUE}/estimatedwaittime; echo"
            ),
            Step(
                f'{JSON} -H "Authorization: Bearer $HANDLE" -X POST \\\n'
                f"    $GATEWAY/sites/shop/api/v2/conversations/messaging/{QUEUE}/close"
            ),
            Step(f'{JSON} -H "Authorization: Bearer $HANDLE" $GATEWAY/api/v2/users/me'),
        ),
    ),
    Section(
        "The OpenID provider: `/.well-known/openid-configuration`, `/oauth/...`",
        "What Genesys calls to sign a visitor in: discovery, keys, the code's exchange, userinfo, renewal, revocation.",
        (
            Step(f"{JSON} $GATEWAY/.well-known/openid-configuration"),
            Step(f"{JSON} $GATEWAY/oauth/jwks.json"),
            Step(
                "curl -s -o /dev/null -w '%{http_code} %{redirect_url}\\n' "
                '"$GATEWAY/oauth/authorize?client_id=genesys&redirect_uri=http://127.0.0.1:8088/'
                '&response_type=code&scope=openid&state=s1"'
            ),
            Step(
                f'CODE=$(curl -s -X POST -H "$PAGE" -H "Authorization: Bearer $SESSION" '
                f"$GATEWAY/sites/shop/auth-code | {member('authCode')})",
                sets="CODE",
            ),
            Step(
                f"GIVEN=$(curl -s {GENESYS} -d grant_type=authorization_code -d code=$CODE \\\n"
                "    -d redirect_uri=http://127.0.0.1:8088/ $GATEWAY/oauth/token | tee /dev/stderr)",
                sets="GIVEN",
            ),
            Step(f"ACCESS=$(echo $GIVEN | {member('access_token')})", sets="ACCESS"),
            Step(f"REFRESH=$(echo $GIVEN | {member('refresh_token')})", sets="REFRESH"),
            Step(f'{JSON} -H "Authorization: Bearer $ACCESS" $GATEWAY/oauth/userinfo'),
            Step(f"{JSON} {GENESYS} -d grant_type=refresh_token -d refresh_token=$REFRESH $GATEWAY/oauth/token"),
            Step(f"curl -s -w ' %{{http_code}}\\n' {GENESYS} -d token=$REFRESH $GATEWAY/oauth/revoke"),
        ),
    ),
    Section(
        "Way D: `/sites/{site}/conversations...`",
        "Conversations over plain HTTP with server-sent events. Not in this version; the gateway says so.",
        (Step(f'{JSON} -X POST -H "$PAGE" -H "Authorization: Bearer $SESSION" $GATEWAY/sites/shop/conversations'),),
    ),
    Section(
        "The end of a session: `DELETE /sites/{site}/session`",
        "On every node; its sockets close and its handles are void.",
        (
            Step(f'{HEADERS} -X DELETE -H "$PAGE" -H "Authorization: Bearer $SESSION" $GATEWAY/sites/shop/session'),
            Step(f'{JSON} -X POST -H "$PAGE" -H "Authorization: Bearer $SESSION" $GATEWAY/sites/shop/ticket'),
        ),
    ),
    Section(
        "Refusals",
        "Always a problem document (RFC 9457) with a stable `code`, and always with the CORS headers that the page is "
        "due. `docs/refusals.md` lists the codes.",
        (
            Step("curl -si -X POST -H 'Origin: https://evil.example' $GATEWAY/sites/shop/session; echo"),
            Step('curl -si --path-as-is -X POST -H "$PAGE" "$GATEWAY/sites/shop/../shop/session"; echo'),
            Step(
                f"{HEADERS} -X OPTIONS -H \"$PAGE\" -H 'Access-Control-Request-Method: POST' "
                "$GATEWAY/sites/shop/session"
            ),
        ),
    ),
    Section(
        "The admin listener",
        "Health, readiness, metrics, version, the newest audit records and the console; never on the public port.",
        (
            Step(f"{JSON} $ADMIN/healthz"),
            Step(f'{JSON} "$ADMIN/readyz?verbose"'),
            Step("curl -s $ADMIN/metrics | grep -E '^gateway_(refusals|sessions_issued)' | grep -v ' 0.0$'"),
            Step(f"{JSON} $ADMIN/version"),
            Step("curl -s $ADMIN/audit | grep -o '<td>[a-z]*\\.[a-z_]*</td>' | sort | uniq -c"),
            Step("curl -s -o /dev/null -w '%{http_code} %{content_type}\\n' $ADMIN/console"),
        ),
    ),
)
OPENING = """# First steps

`make demo` on a fresh machine sets everything up and runs the gateway, a mock Genesys and a demo shop, on loopback
only. Open the shop it names, chat, sign in, chat on; then call the gateway by hand as below. Every answer on this page
was copied from one run (`python -m tests.journeys.first_steps` repeats it); the handles in it died with that run.

| before signing in | signing in | signed in |
|---|---|---|
| ![The shop with an open chat, an anonymous guest and the agent's answer](images/demo-before-sign-in.png) | \
![The same chat while it connects anew for the visitor who signs in](images/demo-during-sign-in.png) | \
![The same conversation, now of a verified guest](images/demo-after-sign-in.png) |

The agent's side of that chat, as the mock shows it, and the audit log of the gateway:

| agent's side | audit log |
|---|---|
| ![The mock's page: the conversation, and the context that the gateway set](images/demo-agent-side.png) | \
![The newest audit records](images/demo-audit.png) |

The addresses, once:

```console
$ GATEWAY=http://127.0.0.1:8080 ADMIN=http://127.0.0.1:9090 SHOP=http://127.0.0.1:8088 JAR=$(mktemp)
$ PAGE='Origin: http://127.0.0.1:8088'
```
"""

CLOSING = """
## The official SDK as a backend

Nothing changes but host, id and key (`tests/journeys/test_sdk.py` runs this against the mock):

```python
import PureCloudPlatformClientV2 as Genesys

client = Genesys.ApiClient()
client.set_gateway("127.0.0.1", "http", 8080, "login", "sites/shop")  # or Genesys.ApiClient(host="http://127.0.0.1:8080")
client.get_client_credentials_token("5e41ce00-0000-4000-8000-0000000000aa", "demo-backend-key-never-use-it-elsewhere")
print(Genesys.RoutingApi(client).get_routing_queue_estimatedwaittime("d0000000-0000-4000-8000-000000000001"))
```

It logs in at `{path_params_login}/oauth/token`, fetches no new token by itself when a handle has expired (call
`get_client_credentials_token` again on 401), and starts a thread that watches `~/.genesyscloudpython/config`.

## When the gateway goes away in mid chat

When the gateway is stopped and started again, the visitor reads "Reconnecting … your messages wait and will be sent.",
what is typed meanwhile is marked "Waiting to be sent", and is sent once when the gateway is back; the thread stays on
the page. As shipped, sessions are kept in memory (`[store] url = "memory://"`), so the client opens a new session by
itself and the agent sees a second conversation. With Redis or Valkey as the store, session and conversation go on.
"""


async def run(command: str, variables: dict[str, str]) -> tuple[str, str]:
    """Run one command; what it wrote to stdout and to stderr."""
    environment = {**os.environ, **variables}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return out.decode(), err.decode()


async def written(section: Section, variables: dict[str, str]) -> str:
    """A section with what its commands wrote. Raises ValueError when a command sets nothing."""
    lines = [f"\n## {section.title}\n", section.words, "", "```console"]
    for step in section.steps:
        show = f'{step.command}; printf "%s" "${step.sets}"' if step.sets else step.command
        out, err = await run(show, variables)
        if step.sets:
            if not out.strip():
                raise ValueError(f"{step.command} set nothing: {err}")
            variables[step.sets], out = out.strip(), err if "/dev/stderr" in step.command else ""
        kept = [line.rstrip() for line in out.replace("\r", "").splitlines() if line.strip()]
        more = [f"... {len(kept) - MOST_LINES} more lines"] if len(kept) > MOST_LINES else []
        lines += [f"$ {step.command}", *kept[:MOST_LINES], *more]
    return "\n".join([*lines, "```", ""])


async def main() -> None:
    """Run every step against a running demo, and write the page."""
    with tempfile.TemporaryDirectory() as directory:
        variables = {
            "GATEWAY": "http://127.0.0.1:8080",
            "ADMIN": "http://127.0.0.1:9090",
            "SHOP": "http://127.0.0.1:8088",
            "JAR": f"{directory}/jar",
            "PAGE": "Origin: http://127.0.0.1:8088",
        }
        parts = [await written(section, variables) for section in SECTIONS]
    PAGE_MD.write_text(OPENING + "".join(parts) + CLOSING, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
