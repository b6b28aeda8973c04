"""Import a playground file in the app's server, by running the command in a process that loads torch."""

import subprocess
import sys
import tempfile
from pathlib import Path

from dvae_core.runs import Run, RunError, new_path
from dvae_core.work.jobs import ROOT

PATIENCE_S = 120


def import_run(data: bytes, store: Path) -> Run:
    """Make a run of a file that the playground saved, under a generated name.

    Raises:
        RunError: If `python -m dvae_core import-run` refuses the file, with its sentence.
    """
    path = new_path(store, "playground")
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store, prefix=".new-") as folder:
        source = Path(folder) / "saved.safetensors"
        source.write_bytes(data)
        command = [sys.executable, "-m", "dvae_core", "import-run", str(source), "--out", str(path)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise RunError(f"The import took more than {PATIENCE_S} s and was ended; try again.") from None
    if done.returncode:
        message = done.stderr.strip().splitlines()[-1:] or ["it ended without a message."]
        raise RunError(message[0].removeprefix("dvae_core: "))
    return Run(path)
