"""What fails for a moment on this machine: a file that is being written, locked or gone before it is read."""

from __future__ import annotations

import errno
import os
import threading
import time

import pytest

from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.lake.skipped_inputs import read_skipped_inputs
from dq_pipelines.project import Retries
from dq_pipelines.sources.failures import broken
from dq_pipelines_tests.workshop import Workshop

PASSING = ("EAGAIN", "EBUSY", "ESTALE", "ETXTBSY", "ECONNRESET", "ECONNREFUSED", "ETIMEDOUT", "ENOSPC", "EMFILE")
LASTING = ("EACCES", "ENOENT", "EISDIR", "EIO", "EINVAL")


@pytest.mark.parametrize("name", [*PASSING, *LASTING])
def test_what_passes_by_the_number_of_the_error(name: str) -> None:
    number = getattr(errno, name)
    with pytest.raises(SourceError) as caught, broken("here"):
        raise OSError(number, os.strerror(number))
    assert isinstance(caught.value, Transient) == (name in PASSING)


#: What libraries and servers really say.
WORDS = {
    "Generic S3 error: Error performing GET http://127.0.0.1/x in 3.1s, after 10 retries: HTTP error: error sending request": True,
    "Client error with status 503 Service Unavailable: <Code>SlowDown</Code>": True,
    "Server returned non-2xx status code: 429 Too Many Requests": True,
    "operation timed out": True,
    "server closed the connection unexpectedly": True,
    "FATAL: terminating connection due to administrator command": True,
    "FATAL: the database system is starting up": True,
    "Client error with status 403 Forbidden: <Code>AccessDenied</Code>": False,
    "Client error with status 404 Not Found: <Code>NoSuchBucket</Code>": False,
    "File out of specification: The page header reported the wrong page size 503": False,
    "expected 429 columns, found 500": False,
    "Corrupt snappy compressed data": False,
}


@pytest.mark.parametrize("words", WORDS)
def test_what_passes_by_its_words(words: str) -> None:
    with pytest.raises(SourceError) as caught, broken("here"):
        raise OSError(words)
    assert isinstance(caught.value, Transient) == WORDS[words]


def test_pauses_double_and_end_somewhere() -> None:
    retries = Retries(tries=20, wait="1s")
    for failed in range(1, 20):
        whole = min(2.0 ** (failed - 1), 300)
        found = [retries.pause(failed) for _ in range(50)]
        assert whole / 2 <= min(found) <= max(found) <= whole
        assert len(set(found)) > 1


def test_a_file_that_is_being_written_is_waited_for(shop: Workshop) -> None:
    text = "id,name\n" + "".join(f"{i},n{i}\n" for i in range(50_000))
    path = shop.land("t/a.csv", text)
    shop.land("t/b.csv", "id,name\n-1,b\n")
    shop.table("t", 'source: {type: csv, path: "{landing}/t/*"}\nretries: {tries: 20, wait: 200ms}')
    done = threading.Event()

    def write_on() -> None:
        number = 50_000
        while not done.is_set():
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{number},more\n")
            number += 1
            time.sleep(0.002)

    writer = threading.Thread(target=write_on)
    writer.start()
    ending = threading.Timer(2.5, done.set)
    ending.start()
    try:
        ran = shop.run("t")
    finally:
        done.set()
        writer.join()
    assert ran.success
    assert len(shop.rows("silver/t")) == len(path.read_text(encoding="utf-8").splitlines())
    logged = [entry.user_message for entry in shop.instance.all_logs(ran.run_id)]
    tries = [line for line in logged if "trying again in" in line]
    assert tries
    assert all("a.csv" in line and "changed while it was read" in line and "\n" not in line for line in tries)
    assert read_skipped_inputs(shop.lake, "t") == {}
