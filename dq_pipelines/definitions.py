"""Dagster's entry point: `dagster dev -m dq_pipelines.definitions`. It only loads the configuration.

A table with an invalid file is left out, and the others run. A process that is for one run loads the tables of that run.
"""

import gc

from dq_pipelines.config.garbage import collector_paused

with collector_paused():
    from dq_pipelines.assembly import build_definitions
    from dq_pipelines.config.env_file import load_env_file
    from dq_pipelines.config.settings import Settings
    from dq_pipelines.orchestration.runs.run_tables import load_tables_of_run

    load_env_file()
    defs = build_definitions(load_tables_of_run(Settings.from_environment().config))

# All of this stays as long as the process, so the collector need not look at it again.
gc.freeze()
