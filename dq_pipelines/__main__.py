"""`python -m dq_pipelines` is `dq`."""

from dq_pipelines.cli import main

main()
