"""Go through the talk in a real Chromium and take pictures: the README's, and all slides on one sheet.

    python scripts/readme_pictures.py            # docs/*.png and artifacts/talk.png; prints the seconds of each slide
    python scripts/readme_pictures.py --sheets   # artifacts/talk-SIZE-THEME.png: a projector, full HD and a phone

The seconds are those of a warm server, from the key press until the slide's script is at rest and every figure is
drawn. The first pass through the talk warms the server and is not timed.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from playwright.sync_api import Browser, Page, sync_playwright

from pages.ui.talk.slides import SLIDES, Slide

CHAPTERS = {"generate": "just-do-it", "turn": "bad-news", "rescue": "rescue"}  # the README's picture of each chapter
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SIZE: Any = {"width": 1280, "height": 720}
SHEETS = [f"{size}-{theme}" for size in ("1280x720", "1920x1080", "390x844") for theme in ("light", "dark")]
ARTIFACTS = ROOT / "artifacts"
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
    took = time.perf_counter() - start
    if slide.votes:  # beside the picture; without a vote, the next key would show the answer and not move on
        page.keyboard.press(str(len(slide.votes)))
        page.wait_for_function(DRAWN, arg=slide.votes[-1], polling=20)
    return took


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


def contact_sheet(folder: Path, size: dict[str, int], notes: Sequence[str]) -> Image.Image:
    """Return all slides on one picture, each with its number, its name and a note."""
    across, line = (4, 22) if size["width"] > size["height"] else (7, 22)
    w = 1920 // across
    h = w * size["height"] // size["width"]
    sheet = Image.new("RGB", (across * w, -(-len(SLIDES) // across) * (h + line)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (slide, note) in enumerate(zip(SLIDES, notes, strict=True)):
        x, y = i % across * w, i // across * (h + line)
        sheet.paste(Image.open(folder / f"{slide.name}.png").convert("RGB").resize((w, h)), (x, y + line))
        draw.text((x + 6, y + 5), f"{i + 1}. {slide.name}   {note}", fill="black")
    return sheet


@contextmanager
def serving(store: Path, font: int) -> Iterator[str]:
    """Serve the app with an empty store and type of `font` pixels; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--theme.baseFontSize", str(font)]
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DVAE_RUNS": str(store)}, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        while True:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(20)


def pictures(browser: Browser, store: Path) -> None:
    """Go through the talk three times: to warm the server, to time it, and for the pictures."""
    with serving(store, 22) as url:
        give(browser.new_page(viewport=SIZE), url, None)
        seconds = give(browser.new_page(viewport=SIZE), url, None)
        give(browser.new_page(viewport=SIZE), url, store)
    for name, picture in CHAPTERS.items():
        few_colours = Image.open(store / f"{name}.png").convert("RGB").quantize(128)
        few_colours.save(ROOT / "docs" / f"{picture}.png", optimize=True)
    contact_sheet(store, SIZE, [f"{took:.2f} s" for took in seconds]).save(ARTIFACTS / "talk.png")
    for slide, took in zip(SLIDES, seconds, strict=True):
        print(f"{slide.name:10s} {took:5.2f} s")
    print(f"p50 {statistics.median(seconds):.2f} s, p95 {statistics.quantiles(seconds, n=20)[-1]:.2f} s (bar 1)")


def sheets(browser: Browser, store: Path, names: Sequence[str]) -> None:
    """Write a sheet of the talk for each size and theme, such as 1280x720-light."""
    for name in names:
        pixels, scheme = name.split("-")
        width, height = map(int, pixels.split("x"))
        size: Any = {"width": width, "height": height}
        with serving(store, 22 if size == SIZE else 16) as url:
            page = browser.new_page(viewport=size, color_scheme=scheme)  # pyright: ignore[reportArgumentType]
            give(page, url, store)
            page.close()
        file = ARTIFACTS / f"talk-{name}.png"
        contact_sheet(store, size, [""] * len(SLIDES)).save(file, optimize=True)
        print(file.relative_to(ROOT))


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description="Pictures of the talk.")
    parser.add_argument("--sheets", nargs="*", choices=SHEETS, help="contact sheets only; default: all six")
    asked = parser.parse_args().sheets
    ARTIFACTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        own = playwright.chromium.executable_path  # what `playwright install chromium` puts there
        names = ("chromium", "chromium-browser", "google-chrome")
        chromium = own if Path(own).is_file() else next(filter(None, map(shutil.which, names)), None)
        if chromium is None:
            sys.exit(
                "Chromium was not found; `make browser-deps` or `.venv/bin/playwright install chromium` installs it."
            )
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        if asked is None:
            pictures(browser, Path(temporary))
        else:
            sheets(browser, Path(temporary), asked or SHEETS)
        browser.close()


if __name__ == "__main__":
    main()
