"""The OpenID provider and token endpoint: signing keys, codes, tokens, backends; no HTTP in it."""
