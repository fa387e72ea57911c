"""Exports refused rows as a workbook or CSV, and imports the corrections."""
