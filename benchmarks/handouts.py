"""Every hand-out of the shipped runs, of the talk and of the playground: bytes, requests, and its distance from torch.

    .venv/bin/python benchmarks/handouts.py

A run's decoder is taken from its file, decodes in node with the file's own JavaScript, and is compared with torch at
the posterior means of 50 held-out rows: the largest difference as a share of the range of x. Chromium opens each file
from the disk and scrolls through it; requests are all but the file itself, complaints are lines of the console and
errors.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dvae_core import runs
from dvae_core.live.handout import Handout, run_handout
from dvae_core.training.checkpoint import load_vae

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
MOST_MB = {"talk": 3.0}
ROWS = 50
SCROLL = """async () => {
    for (let y = 0; y < document.documentElement.scrollHeight; y += 300) {
        scrollTo(0, y);
        await new Promise(requestAnimationFrame);
    }
}"""


@torch.no_grad()
def from_torch(run: runs.Run, made: Handout, member: int, folder: Path) -> str:
    """Return the largest difference of what the file draws from torch, as text."""
    latents = run.latents()
    assert latents is not None
    z = latents["mu_z"][member, :ROWS]
    vae = load_vae(run)
    wanted = vae.decoder(torch.from_numpy(latents["mu_z"][:, :ROWS])).mean[member].numpy()
    path = folder / "decoder.safetensors"
    path.write_bytes(made.decoders[0].packed)
    asked = json.dumps({"member": member, "z": z.tolist()})
    command = ["node", "tests/js/decode_cli.js", str(path)]
    found = subprocess.run(command, cwd=ROOT, input=asked, capture_output=True, text=True, check=True)
    x = np.array(json.loads(found.stdout)["x"])
    worst = np.abs(x - wanted).max() / np.ptp(wanted)
    bar = {"float16": 1e-3, "float32": 1e-5}[made.decoders[0].dtype]
    return f"{worst:.1e} of the range ({made.decoders[0].dtype}, bar {bar:g}{'' if worst <= bar else ', MISSED'})"


def opened(browser, path: Path) -> str:
    """Return what a file asks for and complains of, as text."""
    page, asked, complaints = browser.new_page(viewport={"width": 360, "height": 780}), [], []
    page.on("request", lambda r: asked.append(r.url) if not r.url.startswith(("data:", "blob:")) else None)
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    page.locator(".part canvas").first.wait_for(timeout=120_000)
    page.evaluate(SCROLL)
    width = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    return f"requests {len(asked) - 1}, complaints {len(complaints)}, {width} px wide of 360"


def main() -> None:
    """Print the table."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("Chromium was not found; `make browser-deps` installs it where it may.")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder, browser = Path(name), playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        shipped = {run.id: run for run in runs.examples()}
        for title in [*shipped, "playground", "talk"]:
            path = folder / f"{title}.html"
            if title in shipped:
                made = run_handout(shipped[title], 0)
                made.write(path)
                near = from_torch(shipped[title], made, 0, folder)
            else:
                command = [sys.executable, "-m", "dvae_core", "handout", title, "--out", str(path)]
                output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
                near = output.partition("; ")[2].strip()
            size, most = path.stat().st_size / 1e6, MOST_MB.get(title, 1.5)
            mark = "" if size <= most else " MISSED"
            print(f"{title:16s} {size:.2f} MB of {most:g}{mark}; {opened(browser, path)}; {near}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
