"""What a browser and other programs see of a site. It reads stores and never judges; nothing here writes a table."""
