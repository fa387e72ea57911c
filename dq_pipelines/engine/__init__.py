"""The judge: fuses a table's rules into one scan of the data and gives a result for each.

No Dagster here, and no lake: rows come in as a frame, a `Verdict` goes out.
"""
