"""The rotor: the dial by mouse and keys, what follows it, and what stays."""

import numpy as np
import pytest
from components_kit import drag, is_blank, pixels, release, settled

pytestmark = pytest.mark.browser


def test_turning_the_dial_moves_the_latents_not_the_data_and_notifies_python_on_release(visit):
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
    release(page)
    page.get_by_text("angle = 60.0").wait_for()  # snapped
    assert len(page.sent) <= 1 + pauses  # none where an earlier drag has sent the same angle
    assert pixels(rotated) != before
    assert pixels(strips) != meaning
    text = page.get_by_text("largest change of any x:").inner_text()
    superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    change = text.split(": ")[1].replace("\u00d710", "e").translate(superscripts)
    assert float(change) < 1e-12
    assert page.get_by_role("table", name="The matrix M").inner_text().split() == ["0.500", "−0.866", "0.866", "0.500"]
    page.get_by_text("‖MᵀM − I‖").wait_for()


@pytest.mark.slow
def test_a_drag_selects_no_text_so_that_the_next_one_turns_the_dial_too(visit):
    page = visit("rotate")
    box = page.locator(".dial").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for end in (60, 120):
        for step, angle in enumerate(np.radians(np.linspace(2, end, 12))):
            page.mouse.move(x + 70 * np.cos(angle), y - 70 * np.sin(angle))
            if step == 0:
                page.mouse.down()
        page.mouse.up()
        page.get_by_text(f"angle = {end}.0").wait_for()
    assert page.evaluate("String(getSelection())") == ""


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
