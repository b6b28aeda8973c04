"""The wheel and what starts it, and the Windows counterparts of POSIX-only calls."""

import json
import os
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from dvae_core.runs import files
from tests.helpers import ROOT

sys.path.insert(0, str(ROOT))
import start


class Server:
    """Stands for the server's process, which sends this process a signal while it is waited for."""

    def __init__(self, sent: signal.Signals | None = None) -> None:
        self.sent, self.terminated = sent, False

    def __call__(self, command: list[str], env: dict[str, str]) -> "Server":
        self.command, self.environment = command, env
        return self

    def terminate(self) -> None:
        self.terminated = True

    def wait(self) -> int:
        if self.sent is not None:
            signal.raise_signal(self.sent)
        return -15 if self.terminated else 0


@pytest.fixture(autouse=True)
def _signals_stay_as_they_are():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["--server.port=8501"]),
        (["--port", "9000"], ["--server.port=9000"]),
        (["talk"], ["--server.port=8501", "--theme.baseFontSize=22"]),
    ],
)
def test_start_runs_the_app_with_the_options(monkeypatch, tmp_path, arguments, expected):
    monkeypatch.setattr(subprocess, "Popen", server := Server())
    assert start.main([*arguments, "--runs", str(tmp_path)]) == 0
    command, environment = server.command, server.environment
    assert command[1:4] == ["-m", "streamlit", "run"]
    assert Path(command[4]) == ROOT / "app.py"
    assert command[5:] == expected
    assert environment["DVAE_RUNS"] == str(tmp_path.resolve())


def test_a_service_manager_that_ends_the_command_ends_the_server(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", server := Server(signal.SIGTERM))
    assert start.main([]) == -15
    assert server.terminated


def test_without_streamlit_start_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None)
    assert start.main([]) == 2
    assert "pip install 'dvae-core[app]'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.mark.slow  # builds the wheel in a separate environment
@pytest.mark.timeout(600)
def test_the_wheel_holds_the_app_and_installs_beside_a_torch_without_changing_it(wheel, tmp_path):
    names = set(zipfile.ZipFile(wheel).namelist())
    app = {
        str(p.relative_to(ROOT).as_posix())
        for p in (ROOT / "pages").rglob("*")
        if p.suffix in (".py", ".js", ".css", ".png")
    }
    app |= {"app.py", "start.py", ".streamlit/config.toml"}
    assert {f"disentanglement_lab/{name}" for name in app} <= names
    live = {p.relative_to(ROOT).as_posix() for p in (ROOT / "dvae_core/live").rglob("*") if p.suffix in (".js", ".css")}
    assert live <= names
    assert not [name for name in names if name.startswith(("pages/", "tests/")) or "/tests/" in name]
    # an environment that has torch 2.6: pip must neither change it nor fetch another
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    find = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", find], capture_output=True, text=True, check=True).stdout.strip())
    info = site / "torch-2.6.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.6.0\n", encoding="utf-8")
    (info / "RECORD").write_text("", encoding="utf-8")
    report = tmp_path / "report.json"
    command = [python, "-m", "pip", "install", "--quiet", "--dry-run", "--report", report, f"{wheel}[app]"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    planned = {item["metadata"]["name"].lower() for item in json.loads(report.read_text(encoding="utf-8"))["install"]}
    assert {"dvae-core", "streamlit"} <= planned
    assert "torch" not in planned


# --- Windows, by its interfaces: it cannot be run here


class Kernel:
    """kernel32 as far as it is asked."""

    def __init__(self, handle: int, code: int = 259, error: int = 0) -> None:
        self.handle, self.code, self.error, self.closed = handle, code, error, []

    def OpenProcess(self, access: int, inherit: bool, pid: int) -> int:
        return self.handle

    def GetExitCodeProcess(self, handle: int, code) -> int:
        code._obj.value = self.code
        return 1

    def GetLastError(self) -> int:
        return self.error

    def CloseHandle(self, handle: int) -> None:
        self.closed.append(handle)


def test_on_windows_a_process_is_looked_up_and_never_sent_a_signal(monkeypatch):
    running, ended, absent, foreign = Kernel(7), Kernel(7, code=0), Kernel(0, error=87), Kernel(0, error=5)
    assert files.is_alive_on_windows(1, running)
    assert running.closed == [7]
    assert not files.is_alive_on_windows(1, ended)
    assert not files.is_alive_on_windows(1, absent)
    assert files.is_alive_on_windows(1, foreign)
    monkeypatch.setattr(files.sys, "platform", "win32")
    monkeypatch.setattr(files.os, "kill", lambda *_: pytest.fail("os.kill(pid, 0) is a Ctrl-C on Windows"))
    monkeypatch.setattr(files.ctypes, "windll", type("Windll", (), {"kernel32": running}), raising=False)
    assert files.process_is_alive(1)


def test_on_windows_a_file_that_is_being_read_is_replaced_a_moment_later(monkeypatch, tmp_path):
    (tmp_path / "new").write_text("new", encoding="utf-8")
    attempts, real = [], os.replace

    def busy(source, target):
        attempts.append(source)
        if len(attempts) < 3:
            raise PermissionError(13, "The process cannot access the file")
        real(source, target)

    monkeypatch.setattr(files.os, "replace", busy)
    with pytest.raises(PermissionError):  # elsewhere a refusal is a refusal
        files.replace(tmp_path / "new", tmp_path / "old")
    monkeypatch.setattr(files.sys, "platform", "win32")
    files.replace(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text(encoding="utf-8") == "new"
    assert len(attempts) == 3
