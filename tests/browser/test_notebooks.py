"""The widgets in JupyterLab and in marimo: drawn, dragged, and their values back in Python.

These hosts are installed by requirements-notebook.txt, which `make slow` does; without them the tests are skipped.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from components_kit import is_blank, pixels
from host_kit import MEMBER, RUN, behave

from tests.helpers import ROOT, free_port, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PYTHON = os.environ.get("NOTEBOOK_PYTHON", sys.executable)  # where the notebooks are installed, if not here
CELL = f"""
import ipywidgets
from dvae_core.live import explore, recover, rotate
w, dial, planes = explore("talk-vae"), rotate("talk-vae"), recover("talk-ivae", beside="talk-vae")
digits = [explore("{RUN}", member={MEMBER}, mode=mode) for mode in ("sliders", "twin", "pad")]
text, move = ipywidgets.Label("nothing yet"), ipywidgets.Button(description="Move")
w.observe(lambda change: setattr(text, "value", f"z = {{change.new}}"), "z")
dial.observe(lambda change: setattr(text, "value", f"angle = {{change.new}}"), "angle")
move.on_click(lambda _: setattr(w, "z", [1.25, -0.5]))
ipywidgets.VBox([text, move, w, dial, planes, *digits])
"""
MARIMO = f"""
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    from dvae_core.live import explore, rotate

    w = mo.ui.anywidget(explore("talk-vae"))
    w
    return explore, mo, rotate, w


@app.cell
def _(mo, w):
    mo.md(f"z is {{w.value['z']}}")
    return


@app.cell
def _(explore, mo, rotate):
    digits = [explore("{RUN}", member={MEMBER}, mode=mode) for mode in ("sliders", "twin", "pad")]
    mo.vstack([*digits, rotate("talk-vae")])
    return


if __name__ == "__main__":
    app.run()
"""


def needs(module: str) -> None:
    here = sys.executable != PYTHON or importlib.util.find_spec(module) is not None
    if not here:
        pytest.skip(f"{module} or anywidget is not installed (requirements-notebook.txt)")


@pytest.fixture
def host(tmp_path, chromium):
    """Start a notebook's server in a folder, and open an address of it."""
    processes, contexts = [], []

    def start(arguments: list[str], port: int, path: str):
        # PYTHON sees the packages of this environment; Jupyter needs the place where their browser parts are.
        parts = str(Path(sys.prefix) / "share" / "jupyter")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_PATH": parts}
        environment["JUPYTER_CONFIG_DIR"] = str(tmp_path / "config")
        command = [PYTHON, "-m", *arguments]
        with open(tmp_path / "log.txt", "w") as log:
            processes.append(subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=environment))
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 1600}))
        page = contexts[-1].new_page()
        page.set_default_timeout(90_000)

        from playwright.sync_api import Error

        def answers() -> bool:
            try:
                return page.goto(f"http://127.0.0.1:{port}{path}").ok
            except Error:  # the server is not there yet
                return False

        until(answers, 90)
        return page

    yield start
    for context in contexts:
        context.close()
    for process in processes:
        process.terminate()
        process.wait(20)


def test_jupyterlab_draws_the_widgets_and_values_come_back(host, tmp_path):
    needs("jupyterlab")
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [], "source": CELL}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "live.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    port = free_port()
    options = ["--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=", "--ip=127.0.0.1"]
    page = host(["jupyterlab", *options, "--LabApp.expose_app_in_browser=True"], port, "/lab/tree/live.ipynb")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    slider = page.get_by_role("slider", name="z1", exact=True).first
    slider.wait_for()
    plane = page.get_by_role("img", name="Point in the plane")
    before = pixels(plane)
    slider.press("End")
    page.get_by_text("z = [").wait_for()  # the value came back to Python
    assert pixels(plane) != before
    page.get_by_role("button", name="Move", exact=True).click()  # Python moves the sliders
    page.wait_for_function("slider => Number(slider.value) === 1.25", arg=slider.element_handle())
    dial = page.get_by_role("slider", name="Angle of rotation")
    dial.press("End")
    page.get_by_text("angle = 90").wait_for()
    page.locator(".four canvas").first.scroll_into_view_if_needed()
    until(lambda: not any(is_blank(canvas) for canvas in page.locator(".four canvas").all()), 20)
    behave(page)
    page.screenshot(path=Path(os.environ.get("DVAE_SHOTS", tmp_path)) / "jupyterlab.png")


def test_marimo_draws_the_widgets_and_cells_that_read_one_run_again(host, tmp_path):
    needs("marimo")
    (tmp_path / "live.py").write_text(MARIMO, encoding="utf-8")
    port = free_port()
    page = host(
        ["marimo", "run", "live.py", "--headless", f"--port={port}", "--host=127.0.0.1", "--no-token"], port, "/"
    )
    curve = page.locator(".explorer").filter(has=page.get_by_role("img", name="Point in the plane"))
    slider = curve.get_by_role("slider", name="z1", exact=True)
    slider.wait_for()
    slider.press("End")
    page.get_by_text("z is [").wait_for()
    most = float(slider.get_attribute("max"))
    until(lambda: f"{most:.2f}"[:3] in page.get_by_text("z is [").inner_text(), 30)
    behave(page)
    # marimo names its white in a colour space of its own; the canvases must not take it for black
    upper = """c => {
        const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
        const darkest = Array.from({ length: data.length / 4 }, (_, i) => Math.min(...data.slice(4 * i, 4 * i + 4)));
        return darkest.sort((a, b) => a - b)[Math.floor(0.9 * darkest.length)];
    }"""
    assert page.locator(".rotor figure canvas").first.evaluate(upper) > 240  # a tenth of it and more is ground
    page.screenshot(path=Path(os.environ.get("DVAE_SHOTS", tmp_path)) / "marimo.png")
