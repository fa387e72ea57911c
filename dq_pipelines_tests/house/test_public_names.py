"""The public names are those that `__all__` promises, for people, for `import *` and for type checkers."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import dq_pipelines


def test_one_list_of_names(checkout: Path) -> None:
    tree = ast.parse((checkout / "dq_pipelines" / "__init__.py").read_text(encoding="utf-8"))
    checking = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        (node.module, alias.name) for node in checking.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    homes = {(home, name) for home, names in dq_pipelines._HOMES.items() for name in names}
    assert imported == homes
    assert sorted({name for _, name in homes} | {"__version__"}) == sorted(dq_pipelines.__all__)


def test_each_name_is_there() -> None:
    for home, names in dq_pipelines._HOMES.items():
        for name in names:
            assert getattr(dq_pipelines, name) is getattr(importlib.import_module(home), name)
    assert dq_pipelines.__version__
    assert set(dq_pipelines.__all__) <= set(dir(dq_pipelines))


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'validat'"):
        _ = dq_pipelines.validat
