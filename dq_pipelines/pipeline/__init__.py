"""Bronze, silver, quarantine and gold: the only room that makes assets and checks.

Every file but `assets`, `checks`, `metadata` and `resources` is free of Dagster: landing, judging and
publishing can be run, tested and killed without it.
"""
