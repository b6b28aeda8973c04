"""The documents beside the README: the notebook runs and says what it promises, links lead somewhere."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dvae_core import runs
from dvae_core.analysis.recording.record import Recording
from dvae_core.cli import parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
QUIET = {"NO_MKDOCS_2_WARNING": "1"}
NOTEBOOK = ROOT / "docs/first_model.ipynb"


def _cells():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def test_the_notebook_is_kept_without_outputs():
    assert all(cell["outputs"] == [] for cell in _cells() if cell["cell_type"] == "code")


@pytest.mark.slow
def test_the_notebook_runs_and_the_ivae_beats_the_vae():
    code = "\n".join("".join(cell["source"]) for cell in _cells() if cell["cell_type"] == "code")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    output = dict(re.findall(r"^(raw x|VAE MCC|iVAE MCC): ([\d.]+)$", done.stdout, re.M))
    assert float(output["iVAE MCC"]) > max(float(output["VAE MCC"]), float(output["raw x"])) + 0.1


@pytest.mark.slow
def test_the_site_builds_strictly_and_sends_for_nothing_outside(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        build, capture_output=True, text=True, cwd=ROOT, timeout=110, env=os.environ | QUIET, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20
    for page in pages:  # links may lead elsewhere; what a browser loads by itself may not
        loaded = re.findall(r'(?:src="|rel="stylesheet" href=")(https?:)', page.read_text(encoding="utf-8"))
        assert not loaded, page


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_a_document_is_understood(document):
    for command in re.findall(
        r"^ {4,}python -m dvae_core (.*?)(?:\s+#.*)?$", document.read_text(encoding="utf-8"), re.M
    ):
        if "--help" not in command:
            assert parser().parse_args(shlex.split(command)).command


@pytest.mark.slow
def test_the_worked_example_prints_what_the_report_allows_and_draws_its_figure(tmp_path, monkeypatch):
    """The quotation is the statement of the shipped run, the table its numbers, and the figure is a PDF."""
    text = (ROOT / "docs/how-to/my-recording.md").read_text(encoding="utf-8")
    example = text[text.index("### A worked example") : text.index("### How many latents?")]
    quoted = " ".join(line.removeprefix("> ") for line in example.splitlines() if line.startswith("> "))
    found = Recording.load(runs.find("track-ivae"), "recording")
    assert quoted == found.statement
    rows = {line.split("|")[1].strip(): line for line in example.splitlines() if line.startswith("| ")}
    control, of = found.shuffled_u, found.decoding
    for name, row in (("six seeds", vars(found)), ("u shuffled", control)):
        for key in ("own_axes_mcc", "linear_r2"):
            assert f"{row[key]['mean']:.2f} (" in rows[name], (name, key)
            assert f"{row[key]['min']:.2f})" in rows[name], (name, key)
        scores = [row["decoding"][reader]["latents"]["mean"] for reader in ("linear", "neighbours")]
        assert "{:.2f} / {:.2f}".format(*scores) in rows[name]
    window = [of[reader]["window"]["mean"] for reader in ("linear", "neighbours")]
    assert "{:.2f} / {:.2f}".format(*window) in rows["window of ten bins"]
    (code,) = re.findall(r"```python\n(.*?)```", example, re.S)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "my-recording.md", "exec"), {})
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_modules_exist(document):
    for path in re.findall(
        r"`((?:dvae_core|pages|tests|benchmarks|scripts|docs)/[\w/.]+\.(?:py|md|js|ipynb|png))`",
        document.read_text(encoding="utf-8"),
    ):
        assert (ROOT / path).exists(), f"{document.name} names {path}"


def test_benchmarks_and_tests_do_not_import_each_other():
    folders = {"tests": "benchmarks", "benchmarks": "tests"}
    modules = {name: {path.stem for path in (ROOT / name).rglob("*.py")} for name in folders}
    for folder, other in folders.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            imported = set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.M))
            assert not imported & ({other} | modules[other] - modules[folder]), f"{path} imports from {other}"


def test_contributing_lists_every_module_of_the_library():
    listed = set(re.findall(r"^\| `(\w+(?:\.py|/))` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M))
    library = ROOT / "dvae_core"
    packages = {f"{path.parent.name}/" for path in library.glob("*/__init__.py")}
    assert listed == {path.name for path in library.glob("*.py")} - {"__init__.py"} | packages


def test_the_map_of_identify_lists_every_module_of_it():
    folder = ROOT / "dvae_core/identify"
    listed = re.findall(r"^\| `(\w+)` \|", (folder / "__init__.py").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
