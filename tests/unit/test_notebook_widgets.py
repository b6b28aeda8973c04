"""Widgets of a run: what they send, what is refused, and the sentence where anywidget is not installed."""

import json
import subprocess
import sys

import pytest

from dvae_core import live, runs
from tests.helpers import ROOT


def test_explore_holds_the_decoder_and_moves_by_its_trait():
    widget = live.explore("talk-vae", z0=[0.5, -0.5])
    assert widget.z == [0.5, -0.5]
    assert len(widget._decoder) > 1000
    widget.z = [1.0, 2.0]
    with pytest.raises(Exception, match="must have 2 numbers"):
        widget.z = [1.0]
    betas = live.explore(runs.find("digits-beta-vae"), mode="betas")
    assert betas._data["mode"] == "betas"


def test_the_script_of_a_widget_imports_nothing(node_path, tmp_path):
    script = live.explore("talk-vae")._esm
    (tmp_path / "widget.mjs").write_text(f"{script}\n", encoding="utf-8")
    code = f"import('{(tmp_path / 'widget.mjs').as_posix()}').then(m => console.log(typeof m.default.render))"
    found = subprocess.run([node_path, "-e", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "function"


def test_rotate_and_recover_show_the_requested_view():
    dial = live.rotate("digits-beta-vae", plane=(3, 1), angle=30.0)
    assert (dial.angle, dial._data["plane"]) == (30.0, [3, 1])
    planes = live.recover("talk-ivae", beside="talk-vae")._data["panels"]
    assert [panel["title"].split(",")[0] for panel in planes] == ["True factors", "Data", "iVAE", "VAE"]


def test_the_playground_opens_with_its_link_and_needs_no_run():
    widget = live.playground("prior~u")
    assert (widget.link, widget._data, widget._decoder) == ("prior~u", {"link": "prior~u", "rev": 1}, None)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda: live.explore("talk-vae", mode="betas"), "has the modes sliders, pad, members, twin; got 'betas'"),
        (lambda: live.explore("talk-vae", member=8), "members 0 to 7"),
        (lambda: live.explore("nothing"), "no run called 'nothing'"),
        (lambda: live.recover("digits-beta-vae"), "true factors .* are unknown"),
        (lambda: live.recover("talk-ivae", beside="faces-beta-vae"), "held out other rows"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(asked, message):
    with pytest.raises(ValueError, match=message):
        asked()


def test_without_anywidget_the_message_says_what_to_install():
    code = (
        "import sys; sys.modules['anywidget'] = None\n"
        "import dvae_core.live as live\n"
        "try: live.explore\nexcept ImportError as error: print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'dvae-core[notebook]'" in found.stdout


def test_the_notebook_of_live_parts_runs_and_shows_them():
    cells = json.loads((ROOT / "docs/live_parts.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")
    names: dict = {}
    shown = []
    for text in code:
        *lines, last = text.splitlines()
        exec("\n".join(lines), names)
        value = eval(last, names)  # what a notebook shows under a cell
        shown.append(type(value).__name__)
    assert shown == ["Explorer", "NoneType", "Explorer", "Rotor", "Linked"]
    assert len(names["faces"].z) == len(names["faces"]._data["z0"])
