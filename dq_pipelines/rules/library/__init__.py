"""Defines the rules, one family per file. Each concrete class here is a rule."""
