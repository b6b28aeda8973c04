"""The components in a real Chromium: what moves, what is sent, what keys do, what is said when nothing can be drawn."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pages.ui.components.store import pack

ROOT = Path(__file__).parent.parent.parent
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SIZE = {"width": 1280, "height": 1400}

# One page a query: ?page=NAME. Every decoder is small, and its numbers are the same every time.
APP = """
import numpy as np
import streamlit as st
from pages.ui.components.explorer import explorer, set_latent
from pages.ui.components.rotor import rotor
from pages.ui.components.sheet import Cells, sheet
from pages.ui.components.store import ship

st.set_page_config(layout="wide")


def decoder(name, d_z, d_x, x_shape=None, likelihood="gaussian", members=2, op=None):
    rng = np.random.default_rng(len(name))
    sizes = [d_z, 32, 32, d_x]
    ops, tensors = [{"op": "start"}], {}
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        tensors |= {f"w{i}": rng.normal(0, 1.5 / a**0.5, (members, a, b)), f"b{i}": rng.normal(0, 0.2, (members, b))}
        ops.append({"op": "linear", "weight": f"w{i}", "bias": f"b{i}", "shared": False})
        if i < 2:
            ops.append({"op": "act", "name": "xtanh"})
    if x_shape:
        ops.append({"op": "sigmoid"})
    if likelihood == "poisson":
        ops.append({"op": "exp"})
    if op:
        ops.append(op)
    plan = {"id": name, "members": members, "d_z": d_z, "d_x": d_x, "x_shape": x_shape, "likelihood": likelihood}
    return {**plan, "ops": ops}, tensors


def latents(d):
    rows = [{"index": i, "label": f"z{i + 1}", "kl": 2.0 - 0.5 * i, "dead": False} for i in range(d)]
    rows[-1] |= {"kl": 0.004, "dead": True}
    return rows


picture, plane = decoder("picture", 3, 16 * 16, [16, 16]), decoder("plane", 2, 2)
rng = np.random.default_rng(0)
name = st.query_params.get("page")

if name == "explore":
    ship(*picture)
    ship(*picture)  # twice in one run is harmless
    ship(*plane)
    cloud = rng.normal(size=(500, 2))
    member = ["first", "second"].index(st.radio("Member", ["first", "second"]))
    st.button("Preset", on_click=set_latent, args=("one", [1.25, -0.5, 0.0]))

    @st.fragment
    def both():
        z = explorer(picture[0], key="one", latents=latents(3), member=member)
        st.text(f"one = {z}")
        w = explorer(plane[0], key="two", latents=latents(2), background=cloud)
        st.text(f"two = {w}")

    both()
elif name == "echo":  # a page that keeps the value in its address and passes it back as the start
    ship(*picture)
    z0 = st.session_state.get("kept", [0.5, 0.0, 0.0])
    z = explorer(picture[0], key="echo", latents=latents(3), z0=z0, filmstrip=False)
    st.session_state["kept"] = z
    st.text(f"z0 = {z0}, z = {z}")
elif name == "play":
    ship(*picture)
    z = explorer(picture[0], key="play", latents=latents(3), autoplay=True)
    st.text(f"z = {z}")
elif name == "change":
    which = st.radio("Decoder", ["picture", "other", "broken", "missing"])
    other = decoder("other", 3, 16 * 16, [16, 16])
    broken = decoder("broken", 3, 16 * 16, [16, 16], op={"op": "fourier"})
    missing = {**picture[0], "id": "missing"}, None
    chosen = {"picture": picture, "other": other, "broken": broken, "missing": missing}[which]
    if chosen[1]:
        ship(*chosen)
    explorer(chosen[0], key="change", latents=latents(3))
elif name in ("rotate", "rotate-pictures", "rotate-prior", "rotate-neurons"):
    hues = rng.integers(0, 3, 2000)
    if name == "rotate":
        ship(*plane)
        more = {"plan": plane[0], "points": rng.normal(size=(5000, 2))}
    elif name == "rotate-pictures":
        ship(*picture)
        more = {"plan": picture[0], "points": rng.normal(size=(2000, 3)), "plane": (2, 0), "limit": 90}
        more |= {"hues": hues, "hue_labels": ["a", "<b>b</b>", "c"]}
    elif name == "rotate-neurons":
        neurons = decoder("neurons", 2, 60, likelihood="poisson")
        ship(*neurons)
        more = {"plan": neurons[0], "points": rng.normal(size=(300, 2))}
    else:
        more = {"plan": None, "twin": False, "points": rng.normal(size=(300, 3)), "base": np.diag([1, 1, -1])}

    @st.fragment
    def turn():
        st.text(f"angle = {rotor(key='turn', **more)}")

    turn()
elif name == "sheets":
    bars = decoder("bars", 2, 5)
    for d in (picture, plane, bars):
        ship(*d)
    sheet(picture[0], key="s1", rows=[Cells("held-out x", x=rng.uniform(size=(12, 256))),
                                      Cells("reconstruction", z=rng.normal(size=(12, 3)))])
    sheet(plane[0], key="s2", rows=[Cells("data", x=rng.normal(size=(400, 2))),
                                    Cells("prior samples", z=rng.normal(size=(400, 2)), colour="prior")])
    sheet(bars[0], key="s3", rows=[Cells("x", x=rng.normal(size=(8, 5)))], columns=4)
    names = ["a", "b", "c", "d", "<i>e</i>"]
    explorer(bars[0], key="bars", latents=latents(2), reference=[1, 2, 3, 4, 5], x_names=names)
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.text(f"script runs: {st.session_state['runs']}")
"""


# --- server and browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script = tmp_path_factory.mktemp("components") / "fixture.py"
    script.write_text(APP, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.headless", "true", "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = script.with_suffix(".log")
    with log.open("wb") as out:
        server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT)
        try:
            for _ in range(150):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                        break
                except (urllib.error.URLError, ConnectionError, TimeoutError):
                    if server.poll() is not None:
                        break
                    time.sleep(0.2)
            else:
                pytest.fail(f"The server did not answer:\n{log.read_text()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture(scope="module")
def chromium(browser_path: str) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        browser.shared = browser.new_context(viewport=SIZE)  # one context keeps Streamlit's scripts in its cache
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, url: str) -> Iterator[Callable]:
    """Open a page of the fixture; afterwards no exception may be on it, nor an error in the console."""
    opened = []

    def go(name: str, wait: str = "canvas", **context):
        page = (chromium.new_context(viewport=SIZE, **context) if context else chromium.shared).new_page()
        page.set_default_timeout(20_000)
        page.sent, errors = [], []
        page.on("websocket", lambda ws: ws.on("framesent", lambda frame: page.sent.append(frame)))
        page.on("pageerror", lambda error: errors.append(str(error)))
        opened.append((page, errors))
        page.goto(f"{url}/?page={name}")
        page.get_by_text("script runs:").wait_for()
        page.locator(f".dv {wait}").first.wait_for()
        page.wait_for_timeout(400)  # the first frames of everything on it
        return page

    yield go
    for page, errors in opened:
        assert page.locator("[data-testid=stException]").count() == 0
        assert errors == []
        page.close()


def pixels(canvas) -> str:
    return canvas.evaluate("canvas => canvas.toDataURL()")


def is_blank(canvas) -> bool:
    return canvas.evaluate("""canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.every((v, i) => v === data[i % 4]);
    }""")


def runs_of(page) -> int:
    return int(page.get_by_text("script runs:").inner_text().split(":")[1])


def settled(page) -> None:
    """Let the debounce and a round trip pass."""
    page.wait_for_timeout(600)


pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


# --- explorer


def frames(page) -> int:
    return int(page.locator(".dv").first.get_attribute("data-frames"))


def drag(page, places) -> bool:
    """Press at the first place and move through the others; False where the page saw a pause like the debounce."""
    page.mouse.move(*places[0])
    page.mouse.down()
    settled(page)  # what the press itself says has been said
    page.sent.clear()
    page.evaluate("""() => {
        window.moves = [];
        window.addEventListener("pointermove", () => window.moves.push(performance.now()), { capture: true });
    }""")
    for place in places[1:]:
        page.mouse.move(*place)
        page.wait_for_timeout(16)
    return page.evaluate("""() => {
        window.moves.push(performance.now());
        return Math.max(...window.moves.slice(1).map((t, i) => t - window.moves[i])) < 150;
    }""")


def test_dragging_a_slider_decodes_without_telling_python_until_release(visit):
    page = visit("explore")
    picture = page.get_by_role("img", name="Picture decoded from").first
    before = pixels(picture)
    for _ in range(5):
        box = page.get_by_role("slider", name="z1").first.bounding_box()
        y = box["y"] + box["height"] / 2
        drawn = frames(page)
        quick = drag(page, [(box["x"] + box["width"] * (0.5 + step / 40), y) for step in range(13)])
        sent, drawn = len(page.sent), frames(page) - drawn
        if quick:
            break
        page.mouse.up()
        settled(page)
    else:
        pytest.skip("This machine is too busy to drag without pauses.")
    assert sent == 0
    assert drawn >= 10
    assert pixels(picture) != before
    page.mouse.up()
    page.get_by_text("one = [1.8").or_(page.get_by_text("one = [1.9")).wait_for()  # 0.8 of -3..3, and the thumb's width
    assert len(page.sent) == 1


def test_the_keyboard_moves_a_slider_and_two_mounts_are_independent(visit):
    page = visit("explore")
    one, two = page.get_by_role("slider", name="z2").first, page.get_by_role("slider", name="z2").nth(1)
    plane = page.get_by_role("img", name="Point in the plane")
    before = pixels(plane)
    one.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "Shift+ArrowRight"):
        one.press(key)
    page.get_by_text("one = [0.0, 0.21, 0.0]").wait_for()
    assert pixels(plane) == before
    assert float(two.input_value()) == 0
    one.press("End")
    page.get_by_text("one = [0.0, 3.0, 0.0]").wait_for()
    two.focus()
    two.press("Home")
    page.get_by_text("two = [0.0, -3.0]").wait_for()
    assert pixels(plane) != before
    assert float(one.input_value()) == 3
    outline = one.evaluate("input => { input.focus(); return getComputedStyle(input).outlineStyle; }")
    assert outline == "solid"
    assert runs_of(page) == 1  # only the fragment ran


def test_python_moves_the_sliders_and_reset_brings_them_back_however_often(visit):
    page = visit("explore")
    z1 = page.get_by_role("slider", name="z1").first
    for _ in range(2):  # the second time, what Reset sends is what it sent before: Python must still hear it
        page.get_by_role("button", name="Preset").click()
        page.get_by_text("one = [1.25, -0.5, 0.0]").wait_for()
        assert float(z1.input_value()) == 1.25
        page.get_by_role("button", name="Reset", exact=True).first.click()
        page.get_by_text("one = [0.0, 0.0, 0.0]").wait_for()
        assert float(z1.input_value()) == 0


def test_a_member_is_another_picture_of_the_same_latents(visit):
    page = visit("explore")
    page.get_by_role("slider", name="z1").first.fill("1.5")
    page.get_by_text("one = [1.5, 0.0, 0.0]").wait_for()
    picture = page.get_by_role("img", name="Picture decoded from").first
    before = pixels(picture)
    page.locator("label").filter(has_text="second").click()
    page.get_by_text("script runs: 2").wait_for()
    settled(page)
    assert pixels(picture) != before
    assert float(page.get_by_role("slider", name="z1").first.input_value()) == 1.5


def test_a_page_that_passes_the_value_back_as_the_start_never_pulls_the_slider_back(visit):
    page = visit("echo")
    z1 = page.get_by_role("slider", name="z1")
    assert float(z1.input_value()) == 0.5
    for value in ("1.0", "1.5", "-2.0"):
        z1.fill(value)
        settled(page)
        assert float(z1.input_value()) == float(value)
        page.get_by_text(f"z = [{value}, 0.0, 0.0]", exact=False).wait_for()


def test_dead_latents_are_called_dead_and_labels_are_text(visit):
    page = visit("sheets")
    assert page.get_by_text("dead, KL 0.00 nats").is_visible()
    assert page.locator(".dv i:text('e')").count() == 0  # x_names with markup stay text (on the canvas)
    page = visit("rotate-pictures")
    assert page.get_by_text("<b>b</b>").is_visible()


def test_autoplay_moves_without_messages_and_ends_for_good_at_the_first_key(visit):
    page = visit("play")
    picture = page.get_by_role("img", name="Picture decoded from")
    page.sent.clear()
    seen = set()
    for _ in range(8):
        page.wait_for_timeout(150)
        seen.add(pixels(picture))
    assert len(seen) >= 6
    assert page.sent == []
    z2 = page.get_by_role("slider", name="z2")
    z2.focus()
    z2.press("ArrowRight")
    settled(page)
    still = pixels(picture)
    page.wait_for_timeout(400)
    assert pixels(picture) == still
    assert (
        "z = [0.0, 0.0, 0.0]" not in page.get_by_text("z = [").inner_text()
    )  # Python knows where the sweep was stopped
    assert page.get_by_text("Moving by itself").is_hidden()


def test_autoplay_keeps_still_where_reduced_motion_is_asked_for(visit):
    page = visit("play", reduced_motion="reduce")
    picture = page.get_by_role("img", name="Picture decoded from")
    before = pixels(picture)
    page.wait_for_timeout(500)
    assert pixels(picture) == before


def test_another_decoder_leaves_nothing_of_the_last_and_a_broken_one_says_so(visit):
    page = visit("change")
    picture = page.get_by_role("img", name="Picture decoded from")
    first = pixels(picture)

    def choose(name: str) -> None:
        page.locator("label").filter(has_text=name).click()
        settled(page)

    choose("other")
    assert pixels(picture) != first
    choose("broken")
    assert page.get_by_text('This page does not know the decoder step "fourier".').is_visible()
    assert page.locator(".dv canvas").first.is_hidden()
    choose("missing")
    assert page.locator(".dv canvas").first.is_hidden()
    page.get_by_text("The decoder missing has not come to this page").wait_for(timeout=12_000)
    choose("picture")
    assert pixels(picture) == first


# --- rotor


def test_turning_the_dial_moves_the_latents_not_the_data_and_tells_python_on_release(visit):
    page = visit("rotate")
    rotated = page.get_by_role("img", name="The same latents rotated")
    strips = page.get_by_role("img", name="x decoded at 9 values of").first
    before, meaning = pixels(rotated), pixels(strips)
    for _ in range(5):
        box = page.locator(".dial").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        places = [
            (x + 70 * np.cos(np.radians(angle)), y - 70 * np.sin(np.radians(angle)))
            for angle in (*range(2, 60, 4), 59.2)
        ]
        drawn = frames(page)
        quick = drag(page, places)
        sent, drawn = len(page.sent), frames(page) - drawn
        if quick:
            break
        page.mouse.up()
        settled(page)
    else:
        pytest.skip("This machine is too busy to drag without pauses.")
    assert sent == 0
    assert drawn >= 10
    page.mouse.up()
    page.get_by_text("angle = 60.0").wait_for()  # snapped
    assert len(page.sent) == 1
    assert pixels(rotated) != before
    assert pixels(strips) != meaning
    words = page.get_by_text("largest change of any x:").inner_text()
    superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    change = words.split(": ")[1].replace("\u00d710", "e").translate(superscripts)
    assert float(change) < 1e-12
    assert page.get_by_role("table", name="The matrix M").inner_text().split() == ["0.500", "−0.866", "0.866", "0.500"]
    assert page.get_by_text("‖MᵀM − I‖").is_visible()


def test_the_dial_turns_by_keyboard(visit):
    page = visit("rotate")
    dial = page.get_by_role("slider", name="Angle of rotation")
    dial.focus()
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowRight", "ArrowLeft"):
        dial.press(key)
    page.get_by_text("angle = 16.0").wait_for()  # 1 + 1 + 15 - 1: keys do not snap
    assert dial.get_attribute("aria-valuetext") == "16 degrees"
    dial.press("ArrowLeft")
    dial.press("Home")
    page.get_by_text("angle = 0.0").wait_for()
    dial.press("ArrowLeft")
    page.get_by_text("angle = 359.0").wait_for()
    dial.press("End")
    page.get_by_text("angle = 360.0").wait_for()


def test_the_rotated_cloud_itself_can_be_dragged(visit):
    page = visit("rotate")
    box = page.get_by_role("img", name="The same latents rotated").bounding_box()
    x, y = box["x"] + box["width"] * 0.57, box["y"] + box["height"] * 0.45
    page.mouse.move(x + 80, y)
    page.mouse.down()
    for angle in range(0, 92, 4):
        page.mouse.move(x + 80 * np.cos(np.radians(angle)), y - 80 * np.sin(np.radians(angle)))
        page.wait_for_timeout(15)
    page.mouse.up()
    settled(page)
    assert abs(float(page.get_by_text("angle = ").inner_text().split("=")[1]) - 90) < 8


@pytest.mark.parametrize("name", ["rotate-pictures", "rotate-prior", "rotate-neurons"])
def test_rotors_of_pictures_of_rates_and_of_the_prior_alone(visit, name):
    page = visit(name)
    dial = page.get_by_role("slider", name="Angle of rotation")
    dial.focus()
    dial.press("Shift+ArrowRight")
    page.get_by_text("angle = 15.0").wait_for()
    for canvas in page.locator(".dv canvas").all():
        assert canvas.get_attribute("role") == "img"
        assert canvas.get_attribute("aria-label")
        assert not is_blank(canvas)
    if name == "rotate-prior":
        assert page.get_by_text("Data x").count() == 0
        assert page.locator("dd").first.inner_text() == "−1.000"  # the reflection in base
    if name == "rotate-pictures":
        dial.press("End")
        page.get_by_text("angle = 90.0").wait_for()
        dial.press("ArrowRight")  # a quarter dial ends there
        assert dial.get_attribute("aria-valuenow") == "90"


# --- sheets, sizes, themes


def test_sheets_show_pictures_scatters_and_bars_and_follow_size_and_theme(visit):
    page = visit("sheets")
    canvases = page.locator(".dv canvas").all()
    assert len(canvases) >= 4 + 2 + 2 + 1
    for canvas in canvases:
        assert canvas.get_attribute("aria-label")
        assert not is_blank(canvas)
    scatter = page.get_by_role("img", name="data: 400 points")
    light = pixels(scatter)
    page.emulate_media(color_scheme="dark")
    settled(page)
    assert pixels(scatter) != light
    width = scatter.evaluate("canvas => canvas.width")
    page.set_viewport_size({"width": 700, "height": 1400})
    settled(page)
    assert scatter.evaluate("canvas => canvas.width") != width
    assert not is_blank(scatter)


def test_twice_the_pixels_on_a_screen_that_has_them(visit):
    page = visit("sheets", device_scale_factor=2)
    scatter = page.get_by_role("img", name="data: 400 points")
    assert scatter.evaluate("canvas => Math.abs(canvas.width - 2 * canvas.clientWidth) <= 1")


# --- arithmetic


def test_javascript_arithmetic(node_path):
    found = subprocess.run([node_path, "--test", "tests/js"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]


def test_a_decoder_packed_here_is_decoded_by_node(node_path, tmp_path):
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(2, 3, 4)).astype("f4"), rng.normal(size=(2, 4)).astype("f4")
    ops = [
        {"op": "start"},
        {"op": "linear", "weight": "w", "bias": "b", "shared": False},
        {"op": "act", "name": "tanh"},
    ]
    plan = {"id": "t", "members": 2, "d_z": 3, "d_x": 4, "x_shape": None, "likelihood": "gaussian", "ops": ops}
    path = tmp_path / "decoder.safetensors"
    path.write_bytes(pack(plan, {"w": w, "b": b}))
    z = rng.normal(size=(5, 3)).astype("f4")
    asked = json.dumps({"member": 1, "z": z.tolist()})
    found = subprocess.run(
        [node_path, "tests/js/decode_cli.mjs", str(path)],
        cwd=ROOT,
        input=asked,
        capture_output=True,
        text=True,
        check=True,
    )
    np.testing.assert_allclose(json.loads(found.stdout)["x"], np.tanh(z @ w[1] + b[1]), atol=1e-6)
