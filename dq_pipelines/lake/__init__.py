"""Tables, whatever their format: read, stage, publish, and remember what was consumed. Nothing here judges a row."""
