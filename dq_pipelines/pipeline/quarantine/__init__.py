"""Refused rows: their columns, status, corrections and summary."""
