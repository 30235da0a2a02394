"""Real agent clients, offline: their models are played by a server of the tests."""
