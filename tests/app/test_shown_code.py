"""The code that a page shows runs as shown."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dvae_core import runs
from dvae_core.cli import main
from tests.helpers import ROOT, check

PAGES = {
    "any_prior": {},
    "traverse": {"run": "vae"},
    "rotate": {"run": "vae"},
    "recover": {"run": "ivae"},
    "agree": {"run": "ivae"},
    "conditions": {"run": "ivae", "member": "0"},
    "bend": {},
    "runs": {"run": "vae"},
    "data": {"data": "sources,segments=3,per_segment=80"},
    "train": {"data": "sources,segments=3,per_segment=80"},
    "study": {},
}
TRAIN = ("train", "study")  # they show the training itself
SMALLEST = {"worlds": 1, "seeds": 1, "epochs": 1}  # of a study, whose command is shown as well
ALONE = (pytest.mark.slow, pytest.mark.timeout(1200))
PYTHON = "python -m dvae_core"


def execute(code: str, language: str, store: Path, folder: Path) -> None:
    """Run a snippet in an empty folder, in processes of its own; shell commands in a Python snippet come first."""
    environment = {**os.environ, "DVAE_RUNS": str(store), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    commands = "\n".join(commands_of(code, language)).replace(PYTHON, f"{sys.executable} -m dvae_core")
    steps = [["bash", "-ec", commands]] if commands else []
    steps += [] if language == "bash" else [[sys.executable, "-c", code]]
    for step in steps:
        done = subprocess.run(step, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]


def execute_here(code: str, language: str) -> None:
    """Run a snippet in this process, which has torch loaded already."""
    for command in commands_of(code, language):
        assert command.startswith(PYTHON)
        assert main(shlex.split(command.removeprefix(PYTHON), comments=True)) == 0
    if language != "bash":
        exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})


def commands_of(code: str, language: str) -> list[str]:
    """Return the shell commands of a snippet: its lines, or those in the comments of Python."""
    if language == "bash":
        return [line for line in code.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    lines = (line.removeprefix("# ") for line in code.splitlines())
    return [line for line in lines if line.startswith(PYTHON)]


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if p not in TRAIN])
def test_the_code_of_a_page_runs(page, store, visit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for code, language in snippets(page, store, visit):
        execute_here(code, language)


@pytest.mark.parametrize("page", [p if p == "traverse" else pytest.param(p, marks=ALONE) for p in PAGES])
def test_the_code_of_a_page_runs_as_shown_in_a_separate_process(page, store, visit, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for code, language in snippets(page, store, visit):
        execute(code, language, store, folder)


def snippets(page: str, store: Path, visit) -> list[tuple[str, str]]:
    """Return the snippets that a page shows, each with its language."""
    if page == "conditions":  # the page shows code once the conditions are checked
        from dvae_core.analysis.conditions.compute import conditions

        for _ in conditions(runs.Run(store / "ivae"), member_index=0):
            pass
    at = check(visit(page, **PAGES[page]))
    if page == "study":
        for setting, value in SMALLEST.items():
            at.number_input(key=f"study.{setting}").set_value(value)
        check(at.run())
    shown = [(block.value, block.language) for block in at.code]
    assert shown
    return shown
