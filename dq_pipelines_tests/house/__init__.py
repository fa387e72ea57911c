"""The house itself: commands, README, packaging, lightness of imports. What a room does is tested in its own folder."""
