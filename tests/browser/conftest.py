"""A real server and a real Chromium. Nothing outside this machine is asked for, and every complaint is kept."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers import ROOT, serve

SHOTS = Path(os.environ.get("DVAE_SHOTS", ROOT / "artifacts" / "screenshots"))
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LOCAL = re.compile(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:|about:|chrome-extension:")
# Figures and components draw after the script has ended: all visible ones are there, and nothing has moved for 0.3 s.
DRAWN = """() => {
  const charts = [...document.querySelectorAll('[data-testid=stMain] [data-testid=stPlotlyChart]')];
  if (charts.some((chart) => chart.offsetHeight && !chart.querySelector('.main-svg'))) return false;
  const elements = document.querySelectorAll('[data-testid=stMain] [data-testid=stElementContainer], .dv canvas');
  const boxes = JSON.stringify([...elements].map((element) => element.getBoundingClientRect()));
  if (boxes !== window.boxesBefore) { window.boxesBefore = boxes; window.movedAt = performance.now(); }
  return performance.now() - window.movedAt > 300;
}"""


@pytest.fixture(scope="session")
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start a server nobody has visited yet, with a store that is empty or filled by `fill`; returns its address.

    With `warm`, it loads torch in a worker before the first click, as the app does by default.
    """
    with ExitStack() as servers:

        def start(fill: Callable[[Path], None] = lambda store: None, *, warm: bool = False) -> str:
            store = tmp_path_factory.mktemp("store")
            fill(store)
            address, _ = servers.enter_context(serve(store, DVAE_WARM=str(int(warm))))
            return f"http://{address}"

        yield start


@pytest.fixture(scope="session")
def server(new_server: Callable[[], str]) -> str:
    """One server for the tests that do not mind who was there before."""
    return new_server()


@pytest.fixture(scope="session")
def chromium(browser_path: str) -> Iterator:
    """One Chromium for the session."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)  # machines are busy
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A browser page that remembers what went wrong on it."""

    page: object
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Collect script errors, error lines of the console, and requests that leave this machine."""
        self.page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        self.page.on("console", lambda m: m.type == "error" and self._console(m.text, m.location.get("url", "")))
        self.page.on("request", lambda r: LOCAL.match(r.url) or self.complaints.append(f"outside request: {r.url}"))

    def _console(self, text: str, url: str) -> None:
        # On a deep link Streamlit's own script probes /<page>/_stcore/... before it finds the root: harmless.
        if not ("404" in text and "/_stcore/" in url):
            self.complaints.append(f"console: {text} {url}")

    def open(self, url: str, text: str) -> None:
        """Go to a page, wait for a text on it and for the script to end, and look for exception boxes."""
        self.page.goto(url)
        self.page.get_by_text(text, exact=True).first.wait_for(timeout=60_000)
        self.settle()

    def settle(self) -> None:
        """Wait until the script has run, then check that nothing is wrong."""
        self.page.locator('[data-test-script-state="notRunning"]').wait_for(timeout=60_000)
        boxes = self.page.locator('[data-testid="stException"]').all_inner_texts()
        assert not boxes, boxes
        assert not self.complaints, self.complaints

    def drawn(self) -> None:
        """Wait until every figure is drawn and nothing on the page has moved for 0.3 s, then check as `settle` does."""
        self.settle()
        self.page.wait_for_function(DRAWN, polling=100)
        self.settle()

    def metrics(self, at_least: int = 4) -> dict[str, str]:
        """Return a page's numbers by their labels, once so many are there and the script has run."""
        found = self.page.get_by_test_id("stMetric")
        found.nth(at_least - 1).wait_for()
        self.settle()
        return dict(re.split(r"\n+", metric.inner_text().strip(), maxsplit=1) for metric in found.all())

    def accessibility_findings(self) -> list[str]:
        """Return what axe-core (Deque) finds serious or critical on the page, as "rule: element"."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        return sorted({f"{v['id']}: {node['html'][:160]}" for v in serious for node in v["nodes"]})

    def shot(self, name: str) -> None:
        """Keep a picture for human eyes."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")


@pytest.fixture
def visitor(chromium, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A fresh browser context of 1280 x 800; what it last showed is kept under the test's name."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(90_000)  # machines are busy; also for the pages that a test opens beside the first
    page = context.new_page()
    result = Visitor(page)
    result.listen()
    yield result
    try:
        result.shot("last-" + re.sub(r"\W+", "-", request.node.name))
    finally:
        context.close()


# --- the components on a page of their own

TALL = {"width": 1280, "height": 1400}


@pytest.fixture(scope="session")
def components_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of components_page.py."""
    with serve(tmp_path_factory.mktemp("components"), Path(__file__).with_name("components_page.py")) as (address, _):
        yield f"http://{address}"


@pytest.fixture(scope="session")
def shared_context(chromium) -> Iterator:
    """One context keeps Streamlit's scripts in its cache."""
    context = chromium.new_context(viewport=TALL)
    yield context
    context.close()


@pytest.fixture
def visit(chromium, shared_context, components_url: str) -> Iterator[Callable]:
    """Open a page of the components; afterwards no exception may be on it, nor an error in the console."""
    opened = []

    def go(name: str, wait: str = "canvas", **context):
        page = (chromium.new_context(viewport=TALL, **context) if context else shared_context).new_page()
        page.set_default_timeout(60_000)
        page.sent, errors = [], []
        page.on("websocket", lambda ws: ws.on("framesent", lambda frame: page.sent.append(frame)))
        page.on("pageerror", lambda error: errors.append(str(error)))
        opened.append((page, errors))
        page.goto(f"{components_url}/?page={name}")
        page.get_by_text("script runs:").wait_for()
        page.locator(f".dv {wait}").first.wait_for()
        page.wait_for_function(DRAWN, polling=50)
        return page

    yield go
    exceptions = [page.locator("[data-testid=stException]").count() for page, _ in opened]
    for page, _ in opened:  # first, since a page that stays open goes on working
        page.close()
    assert exceptions == [0] * len(opened)
    assert [errors for _, errors in opened if errors] == []
