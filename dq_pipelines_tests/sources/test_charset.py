"""Encodings that are guessed: read right, or read with a confidence that makes somebody look."""

from __future__ import annotations

import pytest

from dq_pipelines.sources.charset import SURE, guessed
from dq_pipelines_tests.workshop import Workshop

#: Text, and the encoding that it is written in.
TEXTS = {
    "Polish": ("1,Łódź\n2,Żywiec\n", "cp1250"),
    "Czech": ("1,Plzeň\n2,České Budějovice\n3,Ústí nad Labem\n", "cp1250"),
    "Hungarian": ("1,Győr\n2,Székesfehérvár\n", "cp1250"),
    "Japanese": ("3,東京都\n4,大阪府\n", "shift_jis"),
    "kana": ("1,ﾃｽﾄ\n2,東京\n", "shift_jis"),
    "Chinese": ("1,北京\n2,上海\n", "gb18030"),
    "Korean": ("1,서울\n2,부산\n", "euc_kr"),
    "Russian": ("1,Москва\n2,Санкт-Петербург\n", "cp1251"),
    "KOI8": ("1,Москва\n2,Санкт-Петербург\n", "koi8_r"),
    "Greek": ("1,Αθήνα\n2,Θεσσαλονίκη\n", "cp1253"),
    "Turkish": ("1,İstanbul\n2,Ağr\u0131\n", "cp1254"),
    "German": ("1,München\n2,Köln\n", "cp1252"),
    "French": ("1,Orléans\n2,Besançon\n", "cp1252"),
    "quotes": ("1,“so” \u2013 he said\n2,it\u2019s\n", "cp1252"),
    "prices": ("1,5 €\n2,20 £\n", "cp1252"),
}
#: Those that are read right today; the others are in doubt.
RIGHT = {"Polish", "Japanese", "Chinese", "Korean", "Russian", "KOI8", "Greek", "German", "French", "quotes"}


@pytest.mark.parametrize("name", TEXTS)
def test_a_wrong_guess_is_no_sure_one(name: str) -> None:
    text, encoding = TEXTS[name]
    guess = guessed(text.encode(encoding))
    right = text.encode(encoding).decode(guess.encoding) == text
    assert right or guess.confidence < SURE
    assert right or name not in RIGHT
    assert guess.alternative != guess.encoding


def test_a_guess_that_is_in_doubt_is_a_warning_of_its_own(shop: Workshop) -> None:
    """It names the file, the guess, how sure it is and what else it may be; to tell the encoding ends it."""
    table = 'source: {{type: csv, path: "{{landing}}/*.csv"{more}}}\nsilver: {{}}\n'
    shop.table("t", table.format(more=""))
    shop.land("pl.csv", "id,city\n1,Gdańsk\n2,Plzeň\n3,Győr\n".encode("cp1250"))
    shop.land("utf8.csv", "id,city\n4,Łódź\n")
    ran = shop.run("t")
    assert ran.success
    check = ran.checks["bronze/t:encoding_guessed"]
    assert (check.passed, check.severity.value, ran.number("bronze/t:encoding_guessed", "files_in_doubt")) == (
        False,
        "WARN",
        1,
    )
    assert "pl.csv as cp1252 (" in str(check.description)
    assert "else cp1250); name it with `encoding` under `source`" in str(check.description)
    verdict = shop.history.latest("silver/t")
    assert verdict is not None
    (record,) = [one for one in verdict.results if one.check == "encoding_guessed"]
    assert (record.success, record.blocks, record.severity) == (False, False, "warning")

    shop.table("t", table.format(more=", encoding: cp1250"))
    shop.land("pl.csv", "id,city\n1,Gdańsk\n2,Plzeň\n3,Győr\n5,Łódź\n".encode("cp1250"))
    ran = shop.run("t")
    assert ran.success
    assert "bronze/t:encoding_guessed" not in ran.checks


def test_nothing_new_says_nothing_of_encodings(shop: Workshop) -> None:
    shop.table("t", 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {}\n')
    shop.land("a.csv", "id,city\n4,Łódź\n")
    ran = shop.run("t")
    assert ran.checks["bronze/t:encoding_guessed"].passed
    ran = shop.run("t")
    assert ran.success
    assert "bronze/t:encoding_guessed" not in ran.checks
