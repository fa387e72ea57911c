"""`dq backup`: copies an installation's records (all but the lake's rows) into a folder, and restores them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dq_pipelines.config.counting import counted
from dq_pipelines.config.settings import Settings

app = typer.Typer()


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup's folder.")],
    restore: Annotated[
        bool, typer.Option("--restore", help="Restore the backup in FOLDER, where nothing exists yet.")
    ] = False,
    lake_logs: Annotated[
        bool, typer.Option("--lake-logs", help="Also copy the tables' Delta logs (for a lake on a disk).")
    ] = False,
) -> None:
    """Back up history, state, Dagster's records and the project while everything runs; --restore restores them.

    The backup does not contain the lake's rows: copy the lake's folder, or turn on versioning for its bucket.
    """
    from dq_pipelines.backups.copying import back_up, put_back
    from dq_pipelines.backups.places import places_of

    places = places_of(Settings.from_environment(), lake_logs=lake_logs)
    if restore:
        copied = put_back(places, folder.absolute(), log=lambda line: print(line, file=sys.stderr))
    else:
        copied = back_up(places, folder.absolute())
    for each in copied:
        if each.elsewhere:
            print(f"{each.name}: not copied: {each.elsewhere}", file=sys.stderr)
        else:
            print(f"{each.name}: {counted(each.files, 'file')}, {each.bytes / 1e6:,.1f} MB")
    if restore:
        print("restored; run dq doctor to check that all parts agree")
