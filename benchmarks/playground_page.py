"""The playground in Chromium: frames a second while eight seeds train, input latency, a slow phone, and its size.

    .venv/bin/python benchmarks/playground_page.py [--seconds 15]

Prints the share of display frames that were dropped while training (against the same page at rest, in the same run),
the 95th percentile of the time from an input event to the next paint, the same with the page's thread slowed four
times, and how long one seed takes alone. Chromium throttles the page and not its workers, so the time of a seed on a
phone is its time here, times four. Beside these times, which other programs lengthen, it prints the CPU time of the
page's thread: for a display frame, and for a press of a key with everything that follows from it.
"""

import argparse
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dvae_core.live import modules
from dvae_core.live.handout import playground_handout

SLOWER = 4
PRESSES = 40
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
COUNT = """(seconds) => new Promise((done) => {
  const times = [];
  const tick = (now) => {
    times.push(now);
    if (now - times[0] < 1000 * seconds) requestAnimationFrame(tick);
    else done(times);
  };
  requestAnimationFrame(tick);
})"""
LATENCIES = """() => {
  window.inputs = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (entry.interactionId) window.inputs.push(entry.duration);
  }).observe({ type: "event", durationThreshold: 16, buffered: false });
}"""
ALONE = """
import { createPool } from "./playground/pool.js";
import { drawWorld } from "./playground/world.js";
import { DEFAULT, trainingOf, worldOf } from "./playground/settings.js";
window.alone = () => new Promise((done) => {
  const state = { ...DEFAULT, prior: "u" };
  const began = performance.now();
  const pool = createPool((frame) => {
    if (frame.type === "failed" || frame.step >= frame.steps) {
      pool.close();
      done({ message: frame.message ?? "", seconds: (performance.now() - began) / 1000, steps: frame.steps });
    }
  });
  const world = { ...drawWorld(worldOf(state)), shown: 400 };
  pool.post({ type: "start", world, settings: trainingOf(state), seeds: [0] });
  pool.post({ type: "play" });
});
"""


@contextmanager
def page_of(browser, address):
    """Open a page of 1280 x 720."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    yield page
    context.close()


def frames(page, seconds):
    """Return frames a second, and the share of display frames of 1/60 s without a new picture."""
    times = np.diff(page.evaluate(COUNT, seconds))
    slots = np.maximum(1, np.round(times / (1000 / 60)))
    return 1000 / times.mean(), float((slots - 1).sum() / slots.sum())


def latency(page, presses=60):
    """Return the 95th percentile of input latencies in ms. Those under 16 ms are not reported and count as 16."""
    page.evaluate(LATENCIES)
    slider = page.get_by_role("slider", name="β")
    for k in range(presses):
        slider.press("ArrowRight" if k % 2 else "ArrowLeft")
        page.wait_for_timeout(60)
    page.wait_for_timeout(500)
    seen = page.evaluate("window.inputs")
    return float(np.quantile([*seen, *([16.0] * max(0, presses - len(seen)))], 0.95))


class Thread:
    """CPU seconds of the page's thread, of which Chromium keeps count."""

    def __init__(self, page):
        self.session = page.context.new_cdp_session(page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds(self):
        """Return what its tasks have taken so far."""
        found = self.session.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in found if metric["name"] == "TaskDuration")


def measured(page, seconds, name):
    """Print a line about a page whose seeds train."""
    thread = Thread(page)
    before = thread.seconds()
    at_work, dropped = frames(page, seconds)
    of_frame = 1000 * (thread.seconds() - before) / (at_work * seconds)
    p95 = latency(page)
    page.get_by_role("button", name="Pause", exact=True).click()
    at_rest, idle = frames(page, 3)
    before = thread.seconds()
    latency(page, PRESSES)
    of_press = 1000 * (thread.seconds() - before) / PRESSES
    print(
        f"{name}: {at_work:.0f} frames a second while eight seeds train, {100 * dropped:.1f} % dropped (at rest "
        f"{at_rest:.0f}, {100 * idle:.1f} %: ratio {at_work / at_rest:.2f}); input latency p95 {p95:.0f} ms; CPU of "
        f"the page's thread {of_frame:.1f} ms a display frame of 16.7, {of_press:.1f} ms a press with all that follows"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    seconds = parser.parse_args().seconds
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("Chromium was not found; `make browser-deps` installs it where it may.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "play.html"
        size = playground_handout("prior~u").write(file)
        script = modules.bundle(ALONE)
        (Path(folder) / "alone.html").write_text(f'<script type="module">{script}</script>', encoding="utf-8")
        print(f"payload: {size / 1000:.0f} kB of 300 kB, the whole page as one file")
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with page_of(browser, file.as_uri()) as page:
            page.get_by_text("step ").first.wait_for()
            measured(page, seconds, f"this machine, load {os.getloadavg()[0]:.0f}")
        with page_of(browser, file.as_uri()) as page:
            page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
            page.get_by_text("step ").first.wait_for()
            measured(page, seconds, f"page {SLOWER} times slower")
        with page_of(browser, (Path(folder) / "alone.html").as_uri()) as page:
            page.set_default_timeout(600_000)
            page.wait_for_function("window.alone")
            found = page.evaluate("window.alone()")
            if found["message"]:
                raise SystemExit(found["message"])
            print(
                f"one seed: {found['seconds']:.1f} s for {found['steps']} steps; {SLOWER} times slower "
                f"{SLOWER * found['seconds']:.1f} s of 30 s"
            )
        browser.close()


if __name__ == "__main__":
    main()
