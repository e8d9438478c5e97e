"""Where sessions, tickets, revocations and counts live: in memory, or in Redis/Valkey."""
