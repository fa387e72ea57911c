"""Defines what a rule is: base classes, columns, conditions, bounds, parameters and auxiliary queries."""
