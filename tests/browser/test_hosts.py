"""The same explorer in the app, in a file and in a notebook's widget behaves the same: `host_kit.BEHAVIOURS`.

test_notebooks.py asks the same in JupyterLab and in marimo, which the default tests do not install.
"""

import pytest
from host_kit import MEMBER, RUN, behave

from dvae_core import runs
from dvae_core.live import explore, rotate
from dvae_core.live.handout import run_handout
from scripts.widget_page import widgets_page

pytestmark = pytest.mark.browser


def address_in(host, request, folder):
    """Where the run stands in one of the hosts, with its explorer and another component."""
    if host == "file":
        run_handout(runs.find(RUN), MEMBER).write(folder / "file.html")
        return (folder / "file.html").as_uri()
    if host == "widget":
        explorers = [explore(RUN, member=MEMBER, mode=mode) for mode in ("sliders", "twin", "pad")]
        return widgets_page(folder / "widgets.html", *explorers, rotate("talk-vae"))
    return f"{request.getfixturevalue('server')}/traverse?run={RUN}&member={MEMBER}"


@pytest.mark.slow
@pytest.mark.parametrize("host", ["app", "file", "widget"])
def test_an_explorer_behaves_the_same_in_every_host(host, request, chromium, tmp_path):
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    page, errors = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(address_in(host, request, tmp_path))
        behave(page)
    finally:
        context.close()
    assert errors == []
