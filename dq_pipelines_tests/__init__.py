"""The tests: a folder per room, and `house` for what holds the rooms together."""
