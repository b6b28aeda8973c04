"""How long from an input event to the picture? Components in a real Chromium, and st.slider + st.image in the same run.

    python benchmarks/latency.py [--seconds 60]

Timed is from an input event's dispatch in the page to the end of the frame in which its picture was painted (a message
posted from that frame's requestAnimationFrame). For the hosts, the part of it that is work (the event's handlers, and
that frame) is printed beside it; the rest is waiting for the display's next frame, which comes every 16.7 ms. Needs
Chromium and the packages of requirements-dev.txt. Absolute times are those of this machine and its load; the ratio and
the message counts are not.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
BARS_MS = {"MLP 64x64": 8, "conv 64x64x3": 16, "8 members 64x64": 33, "rotor, 5,000 points": 16}
PAGES = {"MLP 64x64": "mlp", "conv 64x64x3": "conv", "8 members 64x64": "members", "rotor, 5,000 points": "rotor"}
THROTTLED = ", CPU throttled 4x"
MOVES = 120
PRESSES = 30

APP = """
import numpy as np
import streamlit as st
from dvae_core.export.plan import Plan, decode
from dvae_core.live.explorer import ExplorerState
from dvae_core.live.rotor import RotorState
from pages.ui.components.explorer import explorer
from pages.ui.components.rotor import rotor
from pages.ui.components.store import ship

st.set_page_config(layout="wide")
page = st.query_params.get("page")


@st.cache_resource
def decoder(kind, members):
    rng = np.random.default_rng(0)
    ops, tensors = [{"op": "start"}], {}

    def add(kind, name, shape, n_in, n_out, **more):
        tensors[f"{name}.w"] = rng.normal(0, (2 / n_in) ** 0.5, (members, *shape)).astype("f4")
        tensors[f"{name}.b"] = rng.normal(0, 0.1, (members, n_out)).astype("f4")
        ops.append({"op": kind, "weight": f"{name}.w", "bias": f"{name}.b", **more})

    sizes = {"mlp": [8, 128, 256, 4096], "conv": [8, 256, 1024], "plane": [2, 32, 32, 2]}[kind]
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        add("linear", f"l{i}", (a, b), a, b, shared=False)
        if i < len(sizes) - 2 or kind == "conv":
            ops.append({"op": "act", "name": "relu"})
    d_x, shape = sizes[-1], [64, 64] if kind == "mlp" else None
    if kind == "conv":  # Burgess et al. 2018
        ops.append({"op": "reshape", "shape": [64, 4, 4]})
        for i, (a, b) in enumerate([(64, 64), (64, 32), (32, 32), (32, 3)]):
            add("conv_transpose", f"c{i}", (a, b, 4, 4), 4 * a, b, stride=2, padding=1)
            if i < 3:
                ops.append({"op": "act", "name": "relu"})
        ops.append({"op": "flatten_channels_last"})
        d_x, shape = 64 * 64 * 3, [64, 64, 3]
    if shape:
        ops.append({"op": "sigmoid"})
    plan = {"id": f"{kind}{members}", "members": members, "d_z": sizes[0], "d_x": d_x, "x_shape": shape}
    return Plan({**plan, "likelihood": "gaussian", "ops": ops}, tensors)


def latents(d):
    return [{"index": i, "label": f"z{i + 1}", "kl": 1.0, "dead": False} for i in range(d)]


if page == "native":
    plan = decoder("mlp", 1)

    @st.fragment
    def native():
        z = [st.slider(f"z{i + 1}", -3.0, 3.0, 0.0, 0.1) for i in range(8)]
        picture = decode(plan, 0, np.array([z]))[0].reshape(64, 64)
        st.image(picture, output_format="PNG", width=336, clamp=True)

    native()
elif page == "rotor":
    plan = decoder("plane", 1)
    ship(plan.tree, plan.tensors)
    points = np.random.default_rng(1).normal(size=(5000, 2))

    @st.fragment
    def turn():
        rotor(plan.tree, RotorState(points=points), key="rotor")

    turn()
else:
    members = 8 if page == "members" else 1
    plan = decoder("conv" if page == "conv" else "mlp", members)
    ship(plan.tree, plan.tensors)
    more = {"mode": "members", "members": [{"label": f"seed {m}"} for m in range(8)]} if members > 1 else {}

    @st.fragment
    def drag():
        explorer(plan.tree, ExplorerState(latents=latents(8), **more), key="view")

    drag()
st.button("Rerun")
"""

# Of all inputs: the time from their dispatch to the end of the frame that followed, and how much of it was work.
WATCH = """() => {
    Object.assign(window, { times: [], work: [] });
    const channel = new MessageChannel();
    const waiting = [];
    let last = null;
    channel.port1.onmessage = () => {
        const now = performance.now();
        for (const { began, handled, frame } of waiting.splice(0)) {
            window.times.push(now - began);
            window.work.push(handled + now - frame);
        }
    };
    for (const type of ["input", "pointermove"]) window.addEventListener(type, (event) => {
        if (event.type === "pointermove" && (!event.buttons || !event.composedPath()[0].closest?.(".dial"))) return;
        const move = { began: performance.now(), handled: 0, frame: 0 };
        last = move;
        requestAnimationFrame(() => {
            move.frame = performance.now();
            waiting.push(move);
            channel.port2.postMessage(0);
        });
    }, { capture: true });
    window.addEventListener("input", () => (last.handled = performance.now() - last.began));
}"""
WATCH_NATIVE = """() => {
    window.times = [];
    let began = null;
    window.addEventListener("keydown", () => (began = performance.now()), { capture: true });
    new MutationObserver(async () => {
        const image = document.querySelector("[data-testid=stImage] img");
        if (began === null || image.src === window.last) return;
        window.last = image.src;
        const from = began;
        began = null;
        await image.decode();
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.times.push(performance.now() - from);
        requestAnimationFrame(() => channel.port2.postMessage(0));
    }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
}"""


@contextmanager
def serve(script: Path, store: Path) -> Iterator[str]:
    """Run a Streamlit script with the app's own settings."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVAE_RUNS": str(store)}
    with (store / "server.log").open("ab") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            for _ in range(300):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                        break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def quantiles(times: list[float]) -> tuple[float, float]:
    """p50 and p95."""
    return statistics.median(times), sorted(times)[int(0.95 * (len(times) - 1))]


def opened(context, url: str, wait: str):
    """A page that counts what goes over its websocket."""
    page = context.new_page()
    page.sent, page.received = [], []

    def listen(socket) -> None:
        socket.on("framesent", lambda frame: page.sent.append(len(frame)))
        socket.on("framereceived", lambda frame: page.received.append(len(frame)))

    page.on("websocket", listen)
    page.goto(url)
    page.locator(wait).first.wait_for(timeout=60_000)
    page.wait_for_timeout(1500)
    return page


def places(page, kind: str) -> list[tuple[float, float]]:
    """The path of the mouse: along a slider there and back, or round the dial."""
    from math import cos, radians, sin

    box = page.locator(".dial" if kind == "rotor" else ".controls input[type=range]").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    if kind == "rotor":
        return [(x + 70 * cos(radians(3 * k)), y - 70 * sin(radians(3 * k))) for k in range(MOVES)]
    return [(x + 0.4 * box["width"] * sin(2 * 3.1416 * k / MOVES), y) for k in range(MOVES)]


class Moves(NamedTuple):
    """Milliseconds of every move, the work in them, and the messages sent while the mouse was down and moving."""

    times: list[float]
    work: list[float]
    sent: int


def drag(page, kind: str) -> Moves:
    """Drag once along the path of `places`."""
    path = places(page, kind)
    page.mouse.move(*path[0])
    page.mouse.down()
    page.wait_for_timeout(600)
    page.sent.clear()
    page.evaluate("window.times && (window.times.length = window.work.length = 0)")
    for place in path[1:]:
        page.mouse.move(*place)
    sent = len(page.sent)
    times, work = page.evaluate("[window.times, window.work]")
    page.mouse.up()
    page.wait_for_timeout(500)
    return Moves(times, work, sent)


def heap(page) -> float:
    """Megabytes of JavaScript objects after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6


def native(context, url: str) -> list[float]:
    """Milliseconds from an arrow key on st.slider to the painted st.image."""
    page = opened(context, f"{url}/?page=native", "[data-testid=stImage] img")
    page.evaluate(WATCH_NATIVE)
    page.get_by_role("slider", name="z1").focus()
    for k in range(PRESSES):
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"window.times.length > {k}", timeout=20_000)
        page.wait_for_timeout(50)
    times = page.evaluate("window.times")
    page.close()
    return times


def first_picture(context, store: Path) -> list[float]:
    """Milliseconds from the first paint of the app's own pages to their first decoded picture."""
    found = []
    with serve(ROOT / "app.py", store) as url:
        for path in ("", "traverse", "", "traverse"):
            page = context.new_page()
            page.goto(f"{url}/{path}")
            page.locator(".dv[data-frames]").first.wait_for(timeout=60_000)
            paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            found.append(page.evaluate(f"performance.now() - {paint}"))
            page.close()
    return found[2:]  # the first two warm the server and the browser's cache


def hosts(context, store: Path) -> dict[str, tuple[float, float, float]]:
    """p50, p95 and p95 of work of dragging a shipped run (an MLP) in the app, its hand-out and a notebook; then at 4x.

    The widget stands on a bare page with anywidget's interface: the notebook's own code is not in the figure, and it
    runs only when a value is reported, 200 ms after the last move.
    """
    from widget_page import widgets_page

    from dvae_core import runs
    from dvae_core.live import explore
    from dvae_core.live.handout import run_handout

    file = store / "handout.html"
    run_handout(runs.find("digits-beta-vae")).write(file)
    found = {}
    with serve(ROOT / "app.py", store) as url:
        places_of = {
            "app": f"{url}/traverse?run=digits-beta-vae",
            "hand-out": file.as_uri(),
            "notebook": widgets_page(store / "widget.html", explore("digits-beta-vae")),
        }
        pages = {name: opened(context, address, ".dv[data-frames]") for name, address in places_of.items()}
        for page in pages.values():
            page.evaluate(WATCH)
        for suffix, rate, warm, counted in (("", 1, 1, 3), (THROTTLED, 4, 0, 2)):
            rounds: dict[str, list[Moves]] = {name: [] for name in pages}
            for page in pages.values():
                context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": rate})
            for k in range(warm + counted):  # in turns, so that all meet the same load; the compiler warms up first
                for name, page in pages.items():
                    page.bring_to_front()
                    moves = drag(page, "sliders")
                    rounds[name] += [moves] if k >= warm else []
            for name, each in rounds.items():
                times, work = ([t for moves in each for t in getattr(moves, part)] for part in ("times", "work"))
                found[name + suffix] = (*quantiles(times), quantiles(work)[1])
        for page in pages.values():
            page.close()
    return found


def report(what: str, value: str, bar: str = "", met: bool = True) -> None:
    """One line of the table."""
    print(f"{what:44s} {value:>24s}   {bar}{'' if met else '   MISSED'}")


def of_components(context, url: str, seconds: float) -> None:
    """Print what each component takes, beside st.slider with st.image."""
    medians, rerun = {}, []
    for name, kind in PAGES.items():
        page = opened(context, f"{url}/?page={kind}", ".dv[data-frames]")
        page.evaluate(WATCH)
        drag(page, kind)  # the compiler warms up
        rounds = [drag(page, kind) for _ in range(3)]
        times, sent = [t for moves in rounds for t in moves.times], sum(moves.sent for moves in rounds)
        p50, p95 = quantiles(times)
        medians[name] = p50
        bar = BARS_MS[name]
        met = p95 <= bar and sent == 0
        report(name, f"{p50:.1f} / {p95:.1f}", f"bar {bar}; n = {len(times)}, {sent} messages", met)
        page.received.clear()
        page.get_by_role("button", name="Rerun").click()
        page.wait_for_timeout(1500)
        rerun.append(sum(page.received))
        if kind == "mlp" and seconds:
            before, until = heap(page), time.time() + seconds
            while time.time() < until:
                drag(page, kind)
            after = heap(page)
        page.close()
    p50, p95 = quantiles(native(context, url))
    report("st.slider + st.image, 64x64", f"{p50:.0f} / {p95:.0f}")
    ratio = p50 / medians["MLP 64x64"]
    report("component faster by", f"{ratio:.0f}x", "bar 20x", ratio >= 20)
    report("received at a rerun, worst of four", f"{max(rerun) / 1000:.1f} kB", "bar 10 kB", max(rerun) < 10_000)
    if seconds:
        grown = after - before
        report(f"heap before / after {seconds:.0f} s of dragging", f"{before:.1f} / {after:.1f} MB", "", grown < 2)


def of_hosts(context, store: Path) -> None:
    """Print what the same explorer takes in its three hosts."""
    between = hosts(context, store)
    for name, (p50, p95, work) in between.items():
        bar = "bar 16" if name.endswith(THROTTLED) and not name.startswith("app") else ""
        report(
            f"digits 28x28, {name}", f"{p50:.1f} / {p95:.1f}", f"p95 of work {work:.1f}; {bar}", not bar or p95 <= 16
        )
    for name in ("hand-out", "notebook"):
        ratio = between[name][1] / between["app"][1]
        report(f"{name} / app, p95", f"{ratio:.2f}", "bar 1.1 (noise of one run)", ratio <= 1.1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to drag for the memory figure")
    parser.add_argument("--hosts", action="store_true", help="only the app, a hand-out and a notebook's widget")
    asked = parser.parse_args()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("Playwright is not installed (pip install -r requirements-dev.txt); nothing was measured.")
        return
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium was not found (make browser-deps); nothing was measured.")
        return
    store = Path(tempfile.mkdtemp())
    script = store / "latency.py"
    script.write_text(APP, encoding="utf-8")
    with sync_playwright() as playwright, serve(script, store) as url:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        print(f"Chromium {browser.version}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; p50 / p95 in ms\n")
        if not asked.hosts:
            of_components(context, url, asked.seconds)
        of_hosts(context, store)
        if not asked.hosts:
            first = max(first_picture(context, store))
            report("first picture after first paint, start, traverse", f"{first:.0f} ms", "bar 1500", first < 1500)
        browser.close()


if __name__ == "__main__":
    main()
