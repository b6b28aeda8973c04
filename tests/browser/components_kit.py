"""What the components' tests look at and do: pixels, drags, fingers, downloads."""

from collections.abc import Callable
from pathlib import Path


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
    """Wait until what was moved has been sent (200 ms after the last move) and the script has run on it."""
    page.wait_for_timeout(600)
    page.locator('[data-test-script-state="notRunning"]').wait_for()  # a busy machine takes longer


def frames(page) -> int:
    return int(page.locator(".dv").first.get_attribute("data-frames"))


def drag(page, places_of: Callable[[], list]) -> tuple[int, int, int]:
    """Press, move and hold: messages sent, pauses in which the debounce may have spoken, frames drawn.

    A page that is kept waiting by a busy machine rightly sends what it knows; up to five drags look for one without
    pauses, and no drag may send more than it paused.
    """
    for attempt in range(5):
        places = places_of()
        if attempt:  # leave another value behind, so that the release has something to send
            page.mouse.up()
            settled(page)
            page.mouse.move(*places[0])
            page.mouse.down()
            page.mouse.move(*places[len(places) // 2])
            page.mouse.up()
            settled(page)
            places = places_of()
        page.mouse.move(*places[0])
        page.mouse.down()
        settled(page)  # the press itself has been reported
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
    return sent, pauses, frames(page) - drawn


def release(page) -> None:
    """Let go, and wait up to a minute for the message of the release: an earlier text may still stand there."""
    page.mouse.up()
    for _ in range(1200):
        if page.sent:
            return
        page.wait_for_timeout(50)


def swipe(page, places) -> None:
    """One finger from the first place to the last."""
    session = page.context.new_cdp_session(page)
    for kind, place in [("touchStart", places[0]), *(("touchMove", p) for p in places[1:]), ("touchEnd", None)]:
        points = [] if place is None else [{"x": place[0], "y": place[1]}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(16)


def saved(page, button: str) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    return waiting.value.path()


def blue_spot(canvas) -> dict[str, float]:
    """A place on a canvas where something blue is drawn: a data point."""
    return canvas.evaluate("""canvas => {
        const { width: w, height: h } = canvas, { data } = canvas.getContext("2d").getImageData(0, 0, w, h);
        const k = canvas.clientWidth / w;
        const place = p => ({ x: (p / 4 % w) * k, y: Math.floor(p / 4 / w) * k });
        for (let p = 0; p < data.length; p += 4) if (data[p + 2] - data[p] > 45) return place(p);
        return null;
    }""")
