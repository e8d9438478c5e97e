"""The demo shop: a page to try the gateway on, with its own token endpoint."""
