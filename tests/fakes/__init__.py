"""Servers shaped like those the agent talks to: real HTTP, real state, no more than what was seen on the real ones."""
