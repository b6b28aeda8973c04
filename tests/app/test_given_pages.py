"""Imported latents on every page: judged where no decoder is needed, and one line where it is."""

import shutil

import numpy as np
import pytest

from dvae_core.analysis.comparison.compute import comparison
from dvae_core.analysis.score.compute import score
from dvae_core.config import SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.runs.given import from_latents
from tests.helpers import page_text

DATA = SourcesData(segments=3, per_segment=80)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Two imported runs of the same data, the first of them scored and compared with the second."""
    store = tmp_path_factory.mktemp("imported")
    z = dataset_of(DATA).z.astype(float)
    noise = np.random.default_rng(0).normal(size=(2, *z.shape))
    turned = z @ np.array([[0.6, -0.8], [0.8, 0.6]])
    right = from_latents([z, -z + 0.01 * noise[0]], store / "right", data=DATA, same_rows=True, method="CEBRA")
    from_latents(turned + 0.01 * noise, store / "turned", data=DATA, same_rows=True, method="PCA")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVAE_RUNS", str(store))
        score(right)
        for _ in comparison(right, others="turned"):
            pass
    return store


@pytest.fixture
def imported(compared, no_runs):
    """A store of its own with a copy of both runs."""
    shutil.copytree(compared, no_runs)
    return no_runs


@pytest.mark.parametrize("page", ["recover", "agree", "conditions", "runs", "study", "train"])
def test_pages_that_need_no_decoder_open_imported_latents(page, imported, visit):
    at = visit(page, run="right")
    assert not at.exception, [e.message for e in at.exception]
    assert not at.error, [e.value for e in at.error]
    assert "CEBRA" in page_text(at) or page in ("study", "train")


@pytest.mark.parametrize("page", ["traverse", "rotate"])
def test_pages_that_need_a_decoder_say_so_in_one_line(page, imported, visit):
    at = visit(page, run="right")
    assert not at.exception
    assert "holds latents computed elsewhere and no decoder" in page_text(at) or "Nothing is trained yet" in page_text(
        at
    )


@pytest.mark.parametrize("view", ["scatter", "matrix", "maps", "scores"])
def test_every_view_of_recover_works_on_imported_latents(view, imported, visit):
    at = visit("recover", run="right", view=view)
    assert not at.exception, [e.message for e in at.exception]
    assert "CEBRA" in page_text(at)
    assert "CEBRA 1.00" in page_text(at)


def test_agree_shows_runs_side_by_side_with_the_conclusions(imported, visit):
    at = visit("agree", run="right")
    text = page_text(at)
    assert "Seeds of CEBRA agree up to order, sign and scale (2 of 2 ordered pairs)." in text
    assert "exceeds the best reference line against the true factors" in text
    assert "PCA" in text


def test_the_data_page_takes_latents(imported, visit):
    at = visit("data", source="latents")
    assert not at.exception
    assert "Choose files on the left" in page_text(at)
