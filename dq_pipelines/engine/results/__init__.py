"""Results: verdicts in the shape of Great Expectations, failing rows, reasons of refused rows."""
