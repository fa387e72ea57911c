"""Alerts: from findings of runs to messages for channels.

settings   the YAML settings: channels, routes, frequency
opening    findings of a run, and which alerts they open or close
due        which alerts a channel gets now, in which messages
wording    a message's title and text
sending    sends messages by Apprise

`orchestration.sensors.alerts` calls them, `history.alerts` stores alerts.
"""
