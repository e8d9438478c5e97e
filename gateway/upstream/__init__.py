"""The way to Genesys: HTTP leg, token broker, REST and WebSocket relays."""
