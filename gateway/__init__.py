"""gateway: a website's chat, moved from Zendesk to Genesys Cloud, without a Genesys credential in any browser.

The house, from the ground up; a room imports only from rooms above it in this list:

    build       which form of the package runs: pure Python, or compiled
    errors      every refusal and fault, with its stable code, cause and remedy
    policy/     pure decisions: origins, visitors, guests, routes, frames, injection, permits
    config/     config.toml and the environment into one frozen, checked Config
    store/      sessions, tickets and counts: in memory, or in Redis/Valkey
    observe/    audit log, metrics, application log
    guestbook   guest sessions as a service: who opens, renews, upgrades and ends them
    upstream/   the way to Genesys: HTTP leg, token broker, REST and WebSocket relays
    gate        the one door: decide, record, count
    provider/   the OAuth and OpenID provider
    admission   proof to session, recorded before the visitor holds it
    web/        the public and the admin listener
    app/        builds the parts, wires them, starts and stops them in order
    demo/, cli/ the demo shop, and the commands; mock/ is a Genesys of our own and imports none of the rest
"""

__version__ = "0.1.0"
