"""Brushing: what is picked in one panel lights up in all, by pointer and by key, and the server hears nothing of it."""

import math

import pytest
from playwright.sync_api import expect

from tests.helpers import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_brushing_by_lasso_pointer_and_key(server, visitor):
    sent = []
    visitor.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(len(frame))))
    visitor.open(f"{server}/recover?run=talk-ivae", "Recovered and true")
    root = visitor.page.locator(".linked").first
    canvas = root.locator("canvas").nth(2)
    canvas.wait_for()
    visitor.drawn()
    before = len(sent)
    box = canvas.bounding_box()
    x, y = box["x"] + 0.62 * box["width"], box["y"] + 0.7 * box["height"]
    visitor.page.mouse.move(x, y)
    until(lambda: int(root.get_attribute("data-chosen") or 0) > 0)
    visitor.page.mouse.move(x + 40, y)
    visitor.page.mouse.down()
    for k in range(1, 25):
        visitor.page.mouse.move(x + 40 * math.cos(k * math.tau / 24), y + 40 * math.sin(k * math.tau / 24))
    visitor.page.mouse.up()
    until(lambda: 5 < int(root.get_attribute("data-chosen") or 0) < 500)
    lassoed = int(root.get_attribute("data-chosen"))
    assert root.get_by_role("status").inner_text().startswith(f"{lassoed} rows: ")
    visitor.shot("brush")
    value = visitor.page.get_by_role("button", name="Highlight u 3")
    value.focus()
    visitor.page.keyboard.press("Enter")
    expect(root).to_have_attribute("data-chosen", "200")  # of 1,000 held-out rows in five segments
    assert value.get_attribute("aria-pressed") == "true"
    visitor.page.keyboard.press("Escape")
    expect(root).to_have_attribute("data-chosen", "")
    assert len(sent) == before
    visitor.settle()
