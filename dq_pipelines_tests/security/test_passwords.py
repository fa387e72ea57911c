"""Which passwords are taken, and what is said of the others."""

from __future__ import annotations

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.security.passwords import LONGEST, matches_hash, password_hash


@pytest.mark.parametrize(
    ("password", "about", "advice"),
    [
        ("password1234", [], "This is a very common password. Add another word or two."),
        ("aaaaaaaaaaaa", [], 'Repeats like "aaa" are easy to guess.'),
        ("qwertyuiop[]", [], "Add another word or two."),
        ("Charles.Dickens1", ["charles.dickens"], "Add another word or two."),
        ("dq_pipelines1", [], "Add another word or two."),
        ("x" * LONGEST, [], 'Repeats like "aaa" are easy to guess.'),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_advice(password: str, about: list[str], advice: str) -> None:
    with pytest.raises(ConfigError) as error:
        password_hash(password, about)
    said = str(error.value)
    assert said.startswith("wanted a password that is hard to guess, got one that about ")
    assert advice in said
    assert password not in said
    assert "\n" not in said


@pytest.mark.parametrize("password", ["correct horse battery", "ünïcode gïraffe 42 hüte", "k7#Vq!2m-Zr9x"])
def test_a_password_that_is_hard_to_guess_is_taken(password: str) -> None:
    assert matches_hash(password, password_hash(password, ["ann"]))
