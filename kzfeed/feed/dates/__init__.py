"""Date strings of feeds become instants."""
