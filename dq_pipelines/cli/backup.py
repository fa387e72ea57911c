"""`dq backup`: copy what an installation keeps beside its rows into a folder, and put such a copy back."""

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
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the backup is to lie, or lies.")],
    restore: Annotated[
        bool, typer.Option("--restore", help="Put the backup in FOLDER back, where nothing is yet.")
    ] = False,
    lake_logs: Annotated[
        bool, typer.Option("--lake-logs", help="The tables' Delta logs too (a lake on a disk).")
    ] = False,
) -> None:
    """Back up history, state, Dagster's records and the project, while everything goes on; --restore puts them back.

    The rows of the lake are not in it: copy the lake's folder, or version its bucket.
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
        print("put back; dq doctor says whether all of it fits together")
