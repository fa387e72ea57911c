"""A session of pytest that leaves a process behind fails, says which, and ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from dq_pipelines_tests.processes import MARK

#: A daemon: of another session, and no child of the one that has started it.
DAEMON = """
    import subprocess
    from pathlib import Path

    def test_it():
        done = subprocess.run("setsid sleep 600 >/dev/null 2>&1 & echo $!", shell=True, capture_output=True, text=True)
        Path(__file__).with_name("pid").write_text(done.stdout)
"""
#: PostgreSQL becomes a daemon too, and is stopped by the session itself.
SHARED = """
    from pathlib import Path
    from dq_pipelines_tests.contracts.postgresql import new_database

    def test_it():
        assert new_database()
        pids = [path.read_text().split()[0] for path in Path({tmp!r}).glob("dq-postgres-*/postmaster.pid")]
        Path(__file__).with_name("pid").write_text(pids[0])
"""
INTERRUPTED = SHARED + "        raise KeyboardInterrupt\n"


def session(tmp_path: Path, test: str, *options: str) -> tuple[int, str, int]:
    """Exit status and output of a session with this one test, and the process that the test has started."""
    (tmp_path / "test_it.py").write_text(textwrap.dedent(test).replace("{tmp!r}", repr(str(tmp_path))))
    (tmp_path / "conftest.py").write_text(
        "from dq_pipelines_tests.processes import pytest_configure, pytest_sessionfinish\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        os.devnull,
        "--rootdir",
        str(tmp_path),
        *options,
        str(tmp_path),
    ]
    environment = {name: value for name, value in os.environ.items() if name != MARK and "PYTEST" not in name}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
    return done.returncode, done.stdout, int((tmp_path / "pid").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_a_process_that_is_left_behind_fails_the_session(tmp_path: Path, options: tuple[str, ...]) -> None:
    status, said, pid = session(tmp_path, DAEMON, "-p", "no:cacheprovider", *options)
    assert "1 passed" in said
    assert status == pytest.ExitCode.TESTS_FAILED
    assert f"{pid} outlives the tests: sleep 600" in said
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "options", "wanted"),
    [(SHARED, (), 0), (SHARED, ("-n", "2"), 0), (INTERRUPTED, (), 2)],
)
def test_the_shared_postgresql_ends_with_the_session(
    tmp_path: Path, test: str, options: tuple[str, ...], wanted: int
) -> None:
    status, said, pid = session(tmp_path, test, "-p", "no:cacheprovider", *options)
    assert status == wanted, said
    assert "outlives" not in said
    assert not psutil.pid_exists(pid)
    assert not list(tmp_path.glob("dq-postgres-*"))
