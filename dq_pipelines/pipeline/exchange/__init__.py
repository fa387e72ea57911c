"""Refused rows out to a person, as a workbook or CSV, and the corrections back in."""
