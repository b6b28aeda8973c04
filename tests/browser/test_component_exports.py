"""What an explorer exports."""

import json
import math

import numpy as np
import pytest
from components_kit import pixels, saved, settled

pytestmark = pytest.mark.browser


@pytest.mark.slow
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
    page.get_by_text("Saved 16 steps of z2, there and back.").wait_for()
    assert pixels(picture) == before  # and the page is where it was


@pytest.mark.parametrize(
    "mode", [pytest.param("sliders", marks=pytest.mark.slow), pytest.param("members", marks=pytest.mark.slow), "twin"]
)
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
        grey = canvas.evaluate(
            """(canvas, side) => {
            const { width: w, height: h } = canvas, ctx = canvas.getContext("2d"), out = [];
            for (let r = 0; r < side; r++) for (let c = 0; c < side; c++)
                out.push(ctx.getImageData((c + 0.5) * w / side, (r + 0.5) * h / side, 1, 1).data[0]);
            return out;
        }""",
            math.isqrt(len(x)),
        )
        np.testing.assert_allclose(np.array(grey) / 255, np.clip(x, 0, 1), atol=1.01 / 255)
