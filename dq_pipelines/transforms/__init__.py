"""Turns landed rows into rows to judge: casts, and the steps of `silver.transform`. It builds plans without I/O."""
