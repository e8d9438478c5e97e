"""What an operator runs and watches the gateway with. Nothing here is part of the installed package."""
