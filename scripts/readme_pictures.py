"""Go through the talk in a real Chromium and take pictures: the README's, and all slides on one sheet.

    python scripts/readme_pictures.py     # writes docs/*.png and artifacts/talk.png, prints the seconds of each slide

The seconds are those of a warm server, from the key press until the slide's script is at rest and every figure is
drawn. The first pass through the talk warms the server and is not timed.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from playwright.sync_api import Page, sync_playwright

from pages.ui.talk.slides import SLIDES, Slide

CHAPTERS = {"generate": "just-do-it", "turn": "bad-news", "rescue": "rescue"}  # the README's picture of each chapter
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SIZE = {"width": 1280, "height": 720}
DRAWN = """(claim) => {
  const main = document.querySelector('[data-testid=stMain]');
  if (!main || !document.querySelector('[data-test-script-state=notRunning]')) return false;
  if (main.querySelector('[data-stale=true]') || !main.innerText.includes(claim)) return false;
  const charts = [...main.querySelectorAll('[data-testid=stPlotlyChart]')];
  return charts.every((chart) => chart.querySelector('.trace, .gl-canvas, .shapelayer path'));
}"""


def show(page: Page, slide: Slide) -> float:
    """Wait until a slide is drawn, figures included; return the seconds, without the time to answer its question."""
    start = time.perf_counter()
    if slide.question:
        page.wait_for_function(DRAWN, arg=slide.question, polling=20)
        asked = time.perf_counter() - start
        button = page.get_by_role("button", name=f"{len(slide.options)} · {slide.options[-1]}", exact=True)
        start = time.perf_counter()
        button.click()
        page.wait_for_function(DRAWN, arg=slide.title, polling=20)
        return max(asked, time.perf_counter() - start)
    page.wait_for_function(DRAWN, arg=slide.title, polling=20)
    return time.perf_counter() - start


def give(page: Page, url: str, folder: Path | None) -> list[float]:
    """Go through the whole talk by keyboard, with a picture of each slide in `folder`; return the seconds of each."""
    page.goto(f"{url}/talk?stop={SLIDES[0].name}")
    seconds = []
    for slide in SLIDES:
        seconds.append(show(page, slide))
        page.wait_for_timeout(1500 if folder else 300)
        if folder:
            page.screenshot(path=folder / f"{slide.name}.png")
        page.keyboard.press("ArrowRight")
    return seconds


def contact_sheet(folder: Path, seconds: list[float], across: int = 4) -> Image.Image:
    """Return all slides on one picture, numbered, each with its seconds."""
    w, h, line = 480, 270, 22
    sheet = Image.new("RGB", (across * w, -(-len(SLIDES) // across) * (h + line)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (slide, took) in enumerate(zip(SLIDES, seconds, strict=True)):
        x, y = i % across * w, i // across * (h + line)
        sheet.paste(Image.open(folder / f"{slide.name}.png").convert("RGB").resize((w, h)), (x, y + line))
        draw.text((x + 6, y + 5), f"{i + 1}. {slide.name}   {took:.2f} s", fill="black")
    return sheet


def main() -> None:
    """Go through the talk three times: to warm the server, to time it, and for the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium was not found; `make browser-deps` installs it.")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        store = Path(temporary)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        command += ["--theme.baseFontSize", "22"]
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "DVAE_RUNS": temporary}, stdout=subprocess.DEVNULL
        )
        try:
            url = f"http://127.0.0.1:{port}"
            while True:
                try:
                    urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.2)
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            give(browser.new_page(viewport=SIZE), url, None)
            seconds = give(browser.new_page(viewport=SIZE), url, None)
            give(browser.new_page(viewport=SIZE), url, store)
            browser.close()
        finally:
            server.terminate()
            server.wait(20)
        for name, picture in CHAPTERS.items():
            few_colours = Image.open(store / f"{name}.png").convert("RGB").quantize(128)
            few_colours.save(ROOT / "docs" / f"{picture}.png", optimize=True)
        (ROOT / "artifacts").mkdir(exist_ok=True)
        contact_sheet(store, seconds).save(ROOT / "artifacts" / "talk.png")
    for slide, took in zip(SLIDES, seconds, strict=True):
        print(f"{slide.name:10s} {took:5.2f} s")
    print(f"p50 {statistics.median(seconds):.2f} s, p95 {statistics.quantiles(seconds, n=20)[-1]:.2f} s (bar 1)")


if __name__ == "__main__":
    main()
