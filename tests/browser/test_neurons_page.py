"""A run on spike counts, on the Traverse page: the raster and tuning curves, and points that move the sliders."""

import re
from pathlib import Path

import pytest
from components_kit import blue_spot, pixels

from dvae_core.config import NeuronsData
from dvae_core.data.load import dataset_of
from dvae_core.recipes import for_dataset
from tests.helpers import trained_run, until

pytestmark = pytest.mark.browser


def fill(store: Path) -> None:
    """Train a small iVAE on 30 neurons, briefly: what it has learned does not matter here."""
    data = NeuronsData(n_neurons=30, per_segment=60)
    dataset = dataset_of(data)
    config = for_dataset(data, dataset, members=2, epochs=3)
    assert config.model.likelihood.kind == "poisson"
    trained_run(store / "neurons", config, dataset, title="Thirty neurons")


@pytest.mark.slow
def test_neurons_show_rates_and_any_point_of_the_page_moves_the_sliders(new_server, visitor):
    url, page = new_server(fill), visitor.page
    visitor.open(f"{url}/traverse?run=neurons", "Drag the latents")
    raster = page.get_by_role("application", name=re.compile("Raster of 30 neurons decoded from"))
    curves = page.get_by_role("img", name=re.compile("Tuning curves of neuron"))
    sliders = [page.get_by_role("slider", name=f"z{i}", exact=True) for i in (1, 2)]
    raster.wait_for()
    before = pixels(raster), pixels(curves)
    sliders[0].fill("1.5")
    until(lambda: (pixels(raster), pixels(curves)) != before)
    visitor.settle()

    def values() -> list[str]:
        return [slider.input_value() for slider in sliders]

    def moved(act) -> bool:
        was = values()
        act()
        for _ in range(100):
            page.wait_for_timeout(100)
            if values() != was:
                break
        visitor.settle()
        return values() != was

    where = page.get_by_role("application", name="Map of the latents")
    assert moved(lambda: where.click(position=blue_spot(where)))
    page.get_by_label("Example", exact=True).wait_for()  # from the data now, with the point's own counts beside it
    assert "from=data" in page.url
    samples = page.get_by_role("application", name="samples, z ~ p(z|u), 1 to").first
    assert moved(lambda: samples.click(position={"x": 8, "y": 8}))

    page.set_viewport_size({"width": 420, "height": 900})
    page.wait_for_timeout(500)
    sideways = page.evaluate("""() => {
        const styled = (e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
        const scrolls = (e) => e.scrollWidth > e.clientWidth + 2 && styled(e);
        const inside = [...document.querySelectorAll('[data-testid="stMain"] *')];
        return inside.filter((e) => e.tagName !== "PRE" && scrolls(e)).map((e) => e.className);
    }""")
    assert sideways == []
