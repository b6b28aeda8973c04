"""A newcomer's path, timed: an empty environment, the wheel, the app, the first drag; then the same in a notebook.

    .venv/bin/python benchmarks/newcomer.py [--torch torch==2.13.0+cpu]

It builds the wheel, installs it with its extras "app" and "notebook" into a new environment in a temporary folder, from
the index that pip is set to (a torch for GPUs takes gigabytes; --torch names another to install first), starts
`disentanglement-lab` from there, and drags the first slider in Chromium. For the notebook it imports `dvae_core.live`,
calls `explore("faces-beta-vae")`, and drags that widget on a page with anywidget's interface; the start of Jupyter
itself is not in the figure. Printed are wall seconds, and the CPU seconds of what has ended, which a busy machine does
not lengthen: those of the app are in the step after it.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
WIDGET = """
import sys
from pathlib import Path
from dvae_core.live import explore
from widget_page import widgets_page
widgets_page(Path(sys.argv[1]), explore("faces-beta-vae"))
"""


def cpu() -> float:
    """Seconds of CPU of the programs that were started and have ended."""
    used = os.times()
    return used.children_user + used.children_system


class Clock:
    """Prints what each step took."""

    def __init__(self) -> None:
        self.wall, self.cpu, self.began = time.perf_counter(), cpu(), time.perf_counter()

    def tick(self, what: str) -> None:
        """Print a step."""
        now, used = time.perf_counter(), cpu()
        print(f"{what:58s} {now - self.wall:7.1f} s wall {used - self.cpu:7.1f} s CPU", flush=True)
        self.wall, self.cpu = now, used

    def total(self, what: str) -> None:
        """Print the sum since the start."""
        print(f"{what:58s} {time.perf_counter() - self.began:7.1f} s wall", flush=True)


def first_drag(browser, address: str) -> None:
    """Open a page and drag its first slider until its picture has been drawn anew."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    part = page.locator(".dv[data-frames]").filter(has=page.locator("input[type=range]")).first
    slider = part.locator("input[type=range]").first
    slider.wait_for()
    slider.scroll_into_view_if_needed()
    box, drawn = slider.bounding_box(), int(part.get_attribute("data-frames"))
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], y)
    page.mouse.down()
    for share in (0.4, 0.5, 0.6, 0.7):
        page.mouse.move(box["x"] + share * box["width"], y)
    while int(part.get_attribute("data-frames")) <= drawn:
        page.wait_for_timeout(5)
    page.mouse.up()
    page.context.close()


def app(bin_: Path, folder: Path, browser, clock: Clock) -> None:
    """Start the app, and drag on its first page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [bin_ / "disentanglement-lab", "--port", str(port), "--runs", folder / "runs"]
    environment = {**os.environ, "STREAMLIT_SERVER_HEADLESS": "true"}
    with open(folder / "app.log", "wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            while server.poll() is None:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                        break
                except OSError:
                    time.sleep(0.1)
            else:
                raise SystemExit((folder / "app.log").read_text(encoding="utf-8")[-2000:])
            clock.tick("disentanglement-lab answers")
            first_drag(browser, f"http://127.0.0.1:{port}/")
            clock.tick("its first page is open and its first slider dragged")
        finally:
            os.killpg(server.pid, 15)
            server.wait(20)


def main() -> None:
    """Walk the path and print its times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", metavar="SPEC", default="torch", help="what pip installs first")
    torch = parser.parse_args().torch
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("Chromium was not found; `make browser-deps` installs it where it may.")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        quiet = ["-m", "pip", "-qq", "--disable-pip-version-check"]
        build = [sys.executable, *quiet, "wheel", "--no-deps", "-w", folder, ROOT]
        subprocess.run(build, check=True)
        [wheel] = folder.glob("*.whl")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        clock = Clock()
        subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
        clock.tick("python -m venv env")
        bin_ = folder / "env" / "bin"
        subprocess.run([bin_ / "python", *quiet, "install", torch], check=True, cwd=folder)
        clock.tick(f"pip install {torch}")
        subprocess.run([bin_ / "python", *quiet, "install", f"{wheel}[app]"], check=True, cwd=folder)
        clock.tick("pip install 'dvae-core[app]'")
        app(bin_, folder, browser, clock)
        clock.total("from nothing to the first drag in the app")
        clock = Clock()
        subprocess.run([bin_ / "python", *quiet, "install", f"{wheel}[notebook]"], check=True, cwd=folder)
        clock.tick("pip install 'dvae-core[notebook]', torch being there")
        path = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
        page = folder / "widget.html"
        subprocess.run([bin_ / "python", "-c", WIDGET, page], check=True, cwd=folder, env=path)
        clock.tick('explore("faces-beta-vae")')
        first_drag(browser, page.as_uri())
        clock.tick("the widget is open and its first slider dragged")
        clock.total("from the library to the first drag in a notebook")
        browser.close()


if __name__ == "__main__":
    main()
