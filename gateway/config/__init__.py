"""The configuration: config.toml and the environment, read once into one frozen, checked Config."""
