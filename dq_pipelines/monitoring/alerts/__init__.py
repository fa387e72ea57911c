"""Alerts: what is told to whom, and in which words. When a run is read belongs in `orchestration`, what was told in `history`.

settings   what YAML says: channels, routes, how often
opening    what a run said, and which alerts it opens or closes
due        which of them a channel is to be told now, in which messages
wording    a message's title and text
sending    Apprise: the one file that knows the network
"""
