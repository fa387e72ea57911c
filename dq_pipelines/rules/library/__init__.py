"""The rules themselves, one family a file. A new class in a file here is a new rule."""
