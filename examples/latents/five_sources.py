"""Five foreign sources beside the shipped iVAE, each from a fresh environment.

    python five_sources.py [NAME ...] [--torch torch==2.13.0+cpu]

For every source: a new virtual environment, `pip install` of its package, its adapter, `import` and `score`. Printed
are the wall seconds of each step, and the CPU seconds of adapter, import and score; the aim is under a minute for these
three together (installing depends on the network). At the end `agree --json` compares all of them with the shipped
iVAE: what the page Agree shows. Runs are written to ../../runs, where the app finds them, in place of those of an
earlier call; environments go into a temporary folder. A name that is given is a key of SOURCES; without names all run.
A source that cannot be installed is reported and left out.

CEBRA, pythae and scVI need torch. Plain `torch` for GPUs takes gigabytes; --torch names another, from the index that
pip is set to (PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu has those that end in +cpu).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SOURCES = {  # name: its packages (iTuna does not name packaging), its adapter, the files that the adapter writes
    "scikit-learn": (["scikit-learn"], "sklearn_ica.py", ["sklearn_ica.npz"]),
    "iTuna": (["ituna==0.1.0", "packaging"], "ituna_pca.py", ["ituna.npz"]),
    "CEBRA": (["torch", "cebra==0.6.1"], "cebra_labels.py", ["cebra.npz"]),
    "pythae": (["torch", "pythae==0.1.2"], "pythae_vae.py", ["pythae.npz"]),
    "scVI": (["torch", "scvi-tools"], "scvi_counts.py", ["scvi-0.npz", "scvi-1.npz"]),
}
DATA = "sources,seed=45"  # the talk's world, on which the shipped iVAE was trained
ADAPTER_SECONDS = 600


def seconds(command: list[str], folder: Path, limit: float = ADAPTER_SECONDS, *, quiet: bool = True) -> float:
    """Run a command and return how long it took; its last lines are the error if it fails."""
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, timeout=limit, text=True, stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE if quiet else None, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command[-3:])} failed:\n{(done.stdout or '')[-800:]}")
    return time.perf_counter() - began


def cpu() -> float:
    """CPU seconds of the programs that were started and have ended."""
    used = os.times()
    return used.children_user + used.children_system


def take(name: str, folder: Path, runs: Path, torch: str) -> str:
    """Install, run and import one source; return its line of the table."""
    packages, adapter, files = SOURCES[name]
    home = folder / name
    began = time.perf_counter()
    venv.create(home, with_pip=True)
    python = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    packages = [torch if package == "torch" else package for package in packages]
    got = subprocess.run([python, "-m", "pip", "install", "-q", *packages], text=True, capture_output=True)
    installing = time.perf_counter() - began
    if got.returncode:
        return f"{name:14s} cannot be installed here: {got.stderr.strip().splitlines()[-1][:120]}"
    before = cpu()
    ran = seconds([str(python), str(HERE / adapter)], folder)
    out = runs / f"foreign-{name.lower()}"
    shutil.rmtree(out, ignore_errors=True)
    own = [sys.executable, "-m", "dvae_core"]
    judged = seconds([*own, "import", *files, "--data", DATA, "--out", str(out), "--method", name], folder)
    judged += seconds([*own, "score", str(out)], folder)
    verdict = "under a minute" if ran + judged < 60 else "OVER a minute"
    return (
        f"{name:14s} install {installing:6.1f} s   adapter {ran:6.1f} s   import and score {judged:6.1f} s   "
        f"({cpu() - before:.1f} s of CPU)   {verdict}"
    )


def main() -> None:
    """Take all sources and compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help="sources (default: all)")
    parser.add_argument("--torch", metavar="SPEC", default="torch", help="the torch that pip installs")
    asked = parser.parse_args()
    names = asked.names
    if unknown := {*names} - {*SOURCES}:
        raise SystemExit(f"Sources are {', '.join(SOURCES)}; got {', '.join(sorted(unknown))}.")
    runs = REPOSITORY / "runs"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        seconds([sys.executable, str(HERE / "data.py")], folder)
        for name in names or SOURCES:
            print(take(name, folder, runs, asked.torch), flush=True)
        found = [str(path) for path in sorted(runs.glob("foreign-*"))]
        seconds([sys.executable, "-m", "dvae_core", "agree", "talk-ivae", *found, "--json"], folder, quiet=False)


if __name__ == "__main__":
    main()
