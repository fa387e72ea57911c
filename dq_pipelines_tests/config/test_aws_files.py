"""When boto3 is wanted for credentials: only where a profile is named, or the files in `~/.aws` have credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq_pipelines.config.object_store import _files_have_credentials


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of both files, which do not exist yet."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path


def test_without_files_the_machines_role_is_asked() -> None:
    assert not _files_have_credentials()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[default]\nregion = eu-central-1\noutput = json\n", False),
        ("", False),
        ("[default]\nregion = eu-central-1\nsso_session = company\n", True),
        ("[profile night]\n  role_arn = arn:aws:iam::1:role/x\n", True),
        ("[default]\ncredential_process = /bin/true\n", True),
        ("[default]\n# role_arn = arn:aws:iam::1:role/x\n", False),
    ],
)
def test_a_region_alone_names_no_credentials(files: Path, text: str, wanted: bool) -> None:
    (files / "config").write_text(text)
    assert _files_have_credentials() == wanted


def test_a_file_of_credentials_names_them(files: Path) -> None:
    (files / "credentials").write_text("[default]\n")
    assert _files_have_credentials()
