"""The code that a page shows runs as shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dvae_core import runs
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
SLOW = ("train", "study")  # they show the training itself
SMALLEST = {"worlds": 1, "seeds": 1, "epochs": 1}  # of a study, whose command is shown as well
TRAINS = (pytest.mark.slow, pytest.mark.timeout(1200))


def execute(code: str, language: str, store: Path, folder: Path) -> None:
    """Run a snippet in an empty folder; shell commands in a Python snippet's comments come first."""
    python = "python -m dvae_core"
    lines = code.splitlines() if language == "bash" else [line.removeprefix("# ") for line in code.splitlines()]
    commands = "\n".join(lines) if language == "bash" else "\n".join(li for li in lines if li.startswith(python))
    environment = {**os.environ, "DVAE_RUNS": str(store), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    steps = [["bash", "-ec", commands.replace(python, f"{sys.executable} -m dvae_core")]] if commands else []
    steps += [] if language == "bash" else [[sys.executable, "-c", code]]
    for step in steps:
        done = subprocess.run(step, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("page", [pytest.param(p, marks=TRAINS) if p in SLOW else p for p in PAGES])
def test_the_code_of_a_page_runs_as_shown(page, store, visit, tmp_path):
    if page == "conditions":  # the page shows code once the conditions are checked
        from dvae_core.analysis.conditions.compute import conditions

        for _ in conditions(runs.Run(store / "ivae"), member_index=0):
            pass
    at = check(visit(page, **PAGES[page]))
    if page == "study":
        for setting, value in SMALLEST.items():
            at.number_input(key=f"study.{setting}").set_value(value)
        check(at.run())
    snippets = [(block.value, block.language) for block in at.code]
    assert snippets
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for code, language in snippets:
        execute(code, language, store, folder)
