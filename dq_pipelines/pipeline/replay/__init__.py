"""Refused rows judged again by the rules of today, and published where they pass."""
