"""An S3 server, a bucket of it, and a workshop that lives in it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines_tests.workshop import Workshop

#: What the host may have set must not decide a test.
AWS_NAMES = tuple(name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE")


def environment(endpoint: str) -> dict[str, str]:
    """What a person would set to use the server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "hush-hush",
    }


@contextmanager
def serving(**settings: str) -> Iterator[str]:
    """The address of an S3 server in a process of its own: some libraries wait for it with Python's lock in hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=os.environ | settings) as server:
        try:
            _wait_for(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"the S3 server did not start: {server.poll()}")


@dataclass(frozen=True)
class Bucket:
    """One bucket, seen by a client that is none of ours."""

    name: str
    client: Any

    @classmethod
    def made(cls, name: str, endpoint: str) -> Bucket:
        client = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
        )
        client.create_bucket(Bucket=name)
        return cls(name, client)

    @property
    def uri(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, content: str | bytes) -> None:
        self.client.put_object(
            Bucket=self.name, Key=key, Body=content.encode() if isinstance(content, str) else content
        )

    def get(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def objects(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]


@dataclass
class Afar(Workshop):
    """Landing and lake are in a bucket; only the project's files and the history are on disk."""

    bucket: Bucket = field(kw_only=True)

    @cached_property
    def stores(self) -> Stores:
        self.root.mkdir(parents=True, exist_ok=True)
        return Stores(Lake.at(f"{self.bucket.uri}/deep/lake"), History(f"sqlite:///{self.root / 'history.db'}"))

    def table(self, name: str, text: str, domain: str = "shop") -> None:
        super().table(name, textwrap.dedent(text).replace("{landing}", f"{self.bucket.uri}/landing"), domain)

    def land(self, name: str, content: str | bytes) -> Path:
        self.bucket.put(f"landing/{name}", content)
        return Path(name)

    def leftovers(self) -> list[str]:
        """Objects of the lake that no commit has named, placeholders of folders among them."""
        keys = self.bucket.objects("deep/lake/")
        logs = {key: self.bucket.get(key) for key in keys if "/_delta_log/" in key}
        return [key for key in keys if key not in logs and not any(_own(key).encode() in log for log in logs.values())]


def _own(key: str) -> str:
    """What of a key stands in the log as it is: the attempt and the file, or what a merge has called its file."""
    folder, name = key.split("/")[-2:]
    return name if name.startswith("part-") else f"{folder}/{name}"
