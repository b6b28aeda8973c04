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
from dvae_core import runs
from dvae_core.traverse import decoder_plan
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
elif name.startswith("mode-"):  # all there is to move, of pictures
    ship(*picture)
    cloud = rng.normal(size=(40, 3))
    member = dict(kl_latent=[2, 1, 0.001], mu=[1, 0, 0])
    more = {"ends": [([-1, 0, 0], rng.uniform(size=256)), ([2, 1, 0], rng.uniform(size=256))], "plane": (0, 1)}
    more["members"] = [{"label": "seed 0", "beta": 4, "recon": 30.25, "kl": 3.5} | member,
                       {"label": "seed 1", "beta": 1, "recon": 35.5, "kl": 9.0} | member]

    @st.fragment
    def modes():
        if st.checkbox("Show", True):
            z = explorer(picture[0], key="modes", latents=latents(3), mode=name[5:], cloud=cloud, run_id="a-run",
                         on_pick=lambda row: st.session_state.update(row=row), **more)
            st.text(f"z = {z}")
        st.text(f"row = {st.session_state.get('row')}, side = {st.session_state.get('modes.side')}")

    modes()
    st.json(cloud.tolist(), expanded=False)
elif name == "fall":  # an op that the browser does not know and the server does
    broken = decoder("broken", 3, 16 * 16, [16, 16], op={"op": "fourier"})
    ship(*broken)

    @st.fragment
    def fall():
        z = explorer(broken[0], key="fall", latents=latents(3), fallback=lambda z: np.full(256, z[0] / 3))
        st.text(f"z = {z}")

    fall()
elif name.startswith("real-"):
    run = runs.find("digits-beta-vae")
    plan = decoder_plan(run)
    ship(plan.tree, plan.tensors)
    names = [{"label": f"member {m}"} for m in range(plan.tree["members"])]
    explorer(plan.tree, key="real", latents=latents(8), z0=[0.5, -1, 0.25, 0, 1, 0, -0.75, 0], mode=name[5:], member=1,
             members=names, plane=(1, 4), run_id=run.id)
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


def drag(page, places_of: Callable[[], list]) -> tuple[int, int, int]:
    """Press, move and hold: messages sent, pauses in which the debounce may have spoken, frames drawn.

    A page that is kept waiting by a busy machine rightly sends what it knows; up to five drags look for one without
    pauses, and no drag may send more than it paused.
    """
    for _ in range(5):
        places = places_of()
        page.mouse.move(*places[0])
        page.mouse.down()
        settled(page)  # what the press itself says has been said
        page.sent.clear()
        drawn = frames(page)
        page.evaluate("""() => {
            window.moves = [performance.now()];
            window.addEventListener("pointermove", () => window.moves.push(performance.now()), { capture: true });
        }""")
        for place in places[1:]:
            page.mouse.move(*place)
            page.wait_for_timeout(16)
        sent = len(page.sent)
        pauses = page.evaluate("""() => {
            window.moves.push(performance.now());
            return window.moves.filter((t, i) => i && t - window.moves[i - 1] > 190).length;
        }""")
        assert sent <= pauses
        if pauses == 0:
            break
        page.mouse.up()
        settled(page)
    return sent, pauses, frames(page) - drawn


def test_dragging_a_slider_decodes_without_telling_python_until_release(visit):
    page = visit("explore")
    picture = page.get_by_role("img", name="Picture decoded from").first
    before = pixels(picture)

    def places() -> list:
        box = page.get_by_role("slider", name="z1").first.bounding_box()
        y = box["y"] + box["height"] / 2
        return [(box["x"] + box["width"] * (0.5 + step / 40), y) for step in range(13)]

    sent, pauses, drawn = drag(page, places)
    assert sent <= pauses
    assert drawn >= (10 if pauses == 0 else 1)
    assert pixels(picture) != before
    page.mouse.up()
    page.get_by_text("one = [1.8").or_(page.get_by_text("one = [1.9")).wait_for()  # 0.8 of -3..3, and the thumb's width
    assert 1 <= len(page.sent) <= 1 + pauses


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


# --- modes of the explorer


def test_the_pad_moves_two_latents_and_a_click_on_a_point_goes_there_in_all(visit):
    page = visit("mode-pad")
    pad = page.get_by_role("application")
    assert pad.get_attribute("aria-label").startswith("Pad: z1 across, z2 up.")
    picture = page.get_by_role("img", name="Picture decoded from")
    before = pixels(picture)
    pad.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        pad.press(key)
    page.get_by_text("z = [0.2, 0.09, 0.0]").wait_for()
    assert pixels(picture) != before
    assert pad.evaluate("pad => getComputedStyle(pad).outlineStyle") == "solid"
    page.get_by_label("Latent up").select_option("z3, dead")
    pad.focus()
    pad.press("ArrowDown")
    page.get_by_text("z = [0.2, 0.09, -0.1]").wait_for()
    pad.press("Enter")  # the nearest data point, in all latents
    page.get_by_text("row = None").wait_for(state="detached")
    settled(page)
    row = int(page.get_by_text("row = ").inner_text().split("=")[1].split(",")[0])
    wanted = np.random.default_rng(0).normal(size=(40, 3))[row]
    found = json.loads(page.get_by_text("z = [").inner_text().split("=")[1])
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_a_drag_in_the_pad_is_no_click_on_a_point(visit):
    page = visit("mode-pad")
    box = page.get_by_role("application").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(10):
        page.mouse.move(box["x"] + box["width"] * (0.5 + step / 40), box["y"] + box["height"] * 0.4)
    page.mouse.up()
    page.get_by_text("z = [0.0, 0.0, 0.0]").wait_for(state="detached")
    assert page.get_by_text("row = None").is_visible()


def test_between_two_examples_one_slider_walks_the_line_and_the_way_survives_the_page(visit):
    page = visit("mode-between")
    way = page.get_by_role("slider", name="From A to B")
    change = page.get_by_role("img", name="Difference, decoded here minus decoded at A")
    assert is_blank(change)
    way.fill("0.5")
    page.get_by_text("z = [0.5, 0.5, 0.0]").wait_for()
    assert not is_blank(change)
    for name in ("Example A", "Example B"):
        assert not is_blank(page.get_by_role("img", name=name))
    toggle = page.locator("label").filter(has_text="Show")
    toggle.click()
    way.wait_for(state="detached")
    toggle.click()
    way.wait_for()
    assert way.input_value() == "0.5"
    assert page.get_by_text("z = [0.5, 0.5, 0.0]").is_visible()


def test_one_set_of_sliders_moves_all_members_and_each_is_itself(visit):
    page = visit("mode-members")
    members = [page.get_by_role("img", name=f"seed {m}: Picture decoded from") for m in (0, 1)]
    before = [pixels(member) for member in members]
    assert before[0] != before[1]
    page.get_by_role("slider", name="z2").fill("2")
    page.get_by_text("z = [0.0, 2.0, 0.0]").wait_for()
    settled(page)
    after = [pixels(member) for member in members]
    assert after[0] != before[0]
    assert after[1] != before[1]
    assert page.get_by_text("z2 moves from left to right in every member").is_visible()


def test_the_twin_at_0_degrees_is_the_original_and_turns_away_from_it(visit):
    page = visit("mode-twin")
    one = page.get_by_role("img", name="Original: Picture decoded from")
    twin = page.get_by_role("img", name="Rotated twin: Picture decoded from")
    page.get_by_role("slider", name="z1", exact=True).fill("1.5")
    settled(page)
    assert pixels(one) != pixels(twin)
    original, angle = pixels(one), page.get_by_role("slider", name="Angle, z1 and z2")
    angle.fill("0")
    settled(page)
    assert pixels(one) == pixels(twin) == original
    angle.press("ArrowRight")
    assert angle.get_attribute("aria-valuetext") == "1°"
    page.get_by_text("'angle': 1").wait_for()


def test_the_slider_over_betas_goes_up_in_beta_and_says_what_it_costs(visit):
    page = visit("mode-betas")
    beta = page.get_by_role("slider", name="β", exact=True)
    assert beta.get_attribute("aria-valuetext") == "1"
    assert page.get_by_text("35.5 nats").is_visible()
    first = pixels(page.get_by_role("img", name="Picture decoded from"))
    beta.press("End")
    assert beta.get_attribute("aria-valuetext") == "4"
    assert page.get_by_text("30.3 nats").or_(page.get_by_text("30.2 nats")).is_visible()
    assert page.get_by_text("2 of 3").is_visible()
    settled(page)
    assert pixels(page.get_by_role("img", name="Picture decoded from")) != first
    for canvas in page.locator(".film canvas").all():
        assert not is_blank(canvas)


@pytest.mark.parametrize("mode", ["sliders", "pad", "between", "members", "twin", "betas"])
def test_everything_has_a_name_and_shows_its_focus(visit, mode):
    page = visit(f"mode-{mode}")
    for canvas in page.locator(".dv canvas").all():
        assert canvas.get_attribute("aria-label")
        assert canvas.get_attribute("role") in ("img", "application")
    for control in page.locator(".dv input, .dv button, .dv [tabindex='0'], .dv select").all():
        named = control.evaluate("c => c.ariaLabel || c.textContent || c.labels?.[0]?.textContent || ''")
        assert named.strip()
        control.focus()
        page.keyboard.press("Shift")  # focus-visible follows the keyboard
        assert control.evaluate("c => getComputedStyle(c).outlineStyle") == "solid"


# --- touch


def swipe(page, places) -> None:
    """One finger from the first place to the last."""
    session = page.context.new_cdp_session(page)
    for kind, place in [("touchStart", places[0]), *(("touchMove", p) for p in places[1:]), ("touchEnd", None)]:
        points = [] if place is None else [{"x": place[0], "y": place[1]}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(16)


def test_a_finger_moves_the_slider_the_pad_and_the_dial(visit):
    page = visit("mode-sliders", has_touch=True)
    box = page.get_by_role("slider", name="z1").bounding_box()
    y = box["y"] + box["height"] / 2
    swipe(page, [(box["x"] + box["width"] * (0.5 + k / 30), y) for k in range(10)])
    settled(page)
    assert float(page.get_by_role("slider", name="z1").input_value()) > 1
    page.get_by_text("z = [0.0, 0.0, 0.0]").wait_for(state="detached")
    page = visit("mode-pad", has_touch=True)
    box = page.get_by_role("application").bounding_box()
    swipe(page, [(box["x"] + box["width"] * (0.5 + k / 30), box["y"] + box["height"] * 0.5) for k in range(10)])
    page.get_by_text("z = [0.0, 0.0, 0.0]").wait_for(state="detached")
    page = visit("rotate", has_touch=True)
    box = page.locator(".dial").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    swipe(page, [(x + 70 * np.cos(a), y - 70 * np.sin(a)) for a in np.radians(range(0, 61, 6))])
    page.get_by_text("angle = 60.0").wait_for()


# --- what can be taken away


def saved(page, button: str) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    return waiting.value.path()


def test_the_view_is_saved_as_a_picture_and_a_traversal_as_an_animation(visit):
    from PIL import Image

    page = visit("mode-sliders")
    page.get_by_role("slider", name="z2").fill("1")
    settled(page)
    picture = page.get_by_role("img", name="Picture decoded from")
    before = pixels(picture)
    with Image.open(saved(page, "PNG")) as view:
        assert view.width > 600
        assert len(view.convert("RGB").getcolors(1 << 24)) > 50
    with Image.open(saved(page, "Animation")) as film:
        assert film.n_frames == 30
        frames = []
        for k in (0, 8, 15, 29):
            film.seek(k)
            frames.append(film.convert("RGB").tobytes())
        assert len(set(frames)) == 4
    assert page.get_by_text("Saved 16 steps of z2, there and back.").is_visible()
    assert pixels(picture) == before  # and the page is where it was


@pytest.mark.parametrize("mode", ["sliders", "members", "twin"])
def test_what_is_copied_as_python_makes_the_picture_again(visit, mode, monkeypatch):
    import plotly.graph_objects as go

    drawn: list = []
    monkeypatch.setattr(go.Figure, "show", lambda figure: drawn.append(figure))
    page = visit(f"real-{mode}", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy z").click()
    page.get_by_text("Copied z.").wait_for()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == [0.5, -1, 0.25, 0, 1, 0, -0.75, 0]
    page.get_by_role("button", name="Copy as Python").click()
    page.get_by_text("Copied Python.").wait_for()
    made: dict = {}
    exec(page.evaluate("navigator.clipboard.readText()"), made)
    assert len(drawn) == 1
    shown = page.locator("canvas.main").all()
    assert len(shown) == len(made["x"])
    for canvas, x in zip(shown, made["x"], strict=True):
        grey = canvas.evaluate("""canvas => {
            const { width: w, height: h } = canvas, ctx = canvas.getContext("2d"), out = [];
            for (let r = 0; r < 8; r++) for (let c = 0; c < 8; c++)
                out.push(ctx.getImageData((c + 0.5) * w / 8, (r + 0.5) * h / 8, 1, 1).data[0]);
            return out;
        }""")
        np.testing.assert_allclose(np.array(grey) / 255, np.clip(x, 0, 1), atol=1.01 / 255)


# --- when the browser cannot


def test_a_decoder_that_the_browser_does_not_know_is_drawn_by_the_server(visit):
    page = visit("fall", wait=".message")
    page.get_by_text('This page does not know the decoder step "fourier".').wait_for()
    image = page.locator("[data-testid=stImage] img")
    image.wait_for()
    first = image.get_attribute("src")
    slider = page.get_by_role("slider", name="z1")
    slider.focus()
    slider.press("End")
    page.get_by_text("z = [3.0, 0.0, 0.0]").wait_for()
    settled(page)
    assert image.get_attribute("src") != first


# --- rotor


def test_turning_the_dial_moves_the_latents_not_the_data_and_tells_python_on_release(visit):
    page = visit("rotate")
    rotated = page.get_by_role("img", name="The same latents rotated")
    strips = page.get_by_role("img", name="x decoded at 9 values of").first
    before, meaning = pixels(rotated), pixels(strips)

    def places() -> list:
        box = page.locator(".dial").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        angles = np.radians([*range(2, 60, 4), 60.3])
        return [(x + 70 * np.cos(a), y - 70 * np.sin(a)) for a in angles]

    sent, pauses, drawn = drag(page, places)
    assert sent <= pauses
    assert drawn >= (10 if pauses == 0 else 1)
    page.mouse.up()
    page.get_by_text("angle = 60.0").wait_for()  # snapped
    assert 1 <= len(page.sent) <= 1 + pauses
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
