"""`dq suggest`: tables and rules to begin with."""

from __future__ import annotations

from typing import Annotated

import typer

from dq_pipelines.errors import ConfigError, Problem

app = typer.Typer()


@app.command()
def suggest(
    from_contract: Annotated[
        str | None,
        typer.Option(help="A data contract in YAML (Open Data Contract Standard v3).", show_default=False),
    ] = None,
    schema_object: Annotated[
        str | None, typer.Option(help="Of this object of the contract's schema only.", show_default=False)
    ] = None,
) -> None:
    """Print the YAML of a table out of a data contract, one document per object of its schema.

    What has no place in it is told in comments, with line and reason. Suggestions out of data are not built yet.
    """
    if from_contract is None:
        raise ConfigError(
            [Problem("", 0, "dq suggest: wanted --from-contract FILE (out of data, nothing can be suggested yet)")]
        )
    from dq_pipelines.monitoring.contracts import tables_from_contract

    print("---\n".join(tables_from_contract(from_contract, schema_object).values()), end="")
