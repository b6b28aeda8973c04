"""The main job in a real browser: train a model through the page, watch it, drag what it learned."""

import re

import pytest

pytestmark = pytest.mark.browser


def test_train_watch_stop_resume_and_drag(new_server, visitor, chromium):
    url, page = new_server(warm=True), visitor.page
    visitor.open(f"{url}/train?data=sources,segments=3,per_segment=400&model=ivae", "Train a population")
    page.get_by_role("spinbutton", name="Seeds").fill("2")
    page.get_by_role("spinbutton", name="Seeds").press("Enter")
    page.get_by_text("Advanced").first.click()
    page.get_by_role("spinbutton", name="Epochs").fill("40")
    page.get_by_role("spinbutton", name="Epochs").press("Enter")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text(re.compile(r"Step \d+ of")).wait_for()
    page.get_by_text("over 2 seeds").first.wait_for()  # the live curve
    visitor.shot("train-live")

    # it can be stopped, unless it has ended by now
    stop = page.get_by_role("button", name="Stop")
    if stop.count():
        stop.click()
        page.get_by_text(re.compile("Stopped at step|Finished")).first.wait_for()

    # a second tab on the same link sees the same run; a reload keeps it
    assert "run=" in page.url
    other = page.context.new_page()
    other.goto(page.url)
    # Attached, not visible: every refresh makes a new figure, and Streamlit hides a figure until it knows its width.
    other.get_by_text("over 2 seeds").first.wait_for(state="attached")
    other.close()
    page.reload()
    page.get_by_text("over 2 seeds").first.wait_for(state="attached")

    # it can be resumed, and it ends
    page.get_by_text(re.compile("Stopped at step|Finished")).first.wait_for()
    resume = page.get_by_role("button", name="Resume")
    if resume.count():
        resume.click()
    page.get_by_text("Finished").first.wait_for(timeout=120_000)
    visitor.settle()

    page.get_by_role("link", name="Traverse").first.click()
    page.get_by_role("heading", name="Drag the latents").wait_for()
    visitor.settle()
    drag(visitor)
    visitor.shot("traverse-trained")
    assert visitor.accessibility_findings() == []

    page.get_by_role("link", name="Next: Rotate").click()
    page.get_by_role("heading", name="Rotate the latents").wait_for()
    page.get_by_role("link", name="Next: Any prior").click()
    page.get_by_role("heading", name="Any prior").wait_for()
    page.get_by_role("link", name="Next: Recover").click()
    page.get_by_text("(c) iVAE, from x and u: ").first.wait_for()
    visitor.settle()


def drag(visitor) -> None:
    """Drag the first latent with the mouse: what is decoded follows at once, and nothing is sent before release."""
    page = visitor.page
    slider = page.get_by_role("slider").first
    slider.wait_for()
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    before = float(slider.input_value())
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    for share in (0.55, 0.6, 0.65, 0.7):
        page.mouse.move(box["x"] + share * box["width"], y)
    moved = float(slider.input_value())
    page.mouse.up()
    assert moved != before
    visitor.settle()
    assert float(slider.input_value()) == moved  # the rerun after the release does not take it back
