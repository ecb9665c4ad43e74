"""Which models would run code when they are opened, found without opening them; what is refused and what is trusted."""
