"""Figures for print have the requested width and embed their fonts; the card repeats the page's numbers."""

import csv
import io
import re
import zipfile

import numpy as np
import pytest
from pypdf import PdfReader

from dvae_core import figures, runs
from dvae_core.analysis.verdicts import beats_floors
from dvae_core.export.card import card, methods
from dvae_core.figures import paper
from dvae_core.identify import bend
from dvae_core.runs.given import from_latents
from pages.ui import bend_views
from tests.helpers import scores_of
from tests.unit.test_figures import BUILDERS

MM = 25.4 / 72  # of a point
SOME = figures.mcc_lines({"iVAE": [0.97, 0.98]}, {"PCA": 0.77})


@pytest.mark.slow
@pytest.mark.parametrize("width", [89.0, 120.0, 183.0])
def test_a_pdf_is_as_wide_as_asked_and_embeds_its_fonts(width):
    page = PdfReader(io.BytesIO(paper.vector(SOME, width, "pdf"))).pages[0]
    assert float(page.mediabox.width) * MM == pytest.approx(width, abs=0.1)
    fonts = page["/Resources"]["/Font"]
    assert fonts
    for font in fonts.values():
        inner = font.get_object()
        descriptor = inner.get("/FontDescriptor") or inner["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert "/FontFile2" in descriptor.get_object()
    assert "MCC" in page.extract_text()


def test_an_svg_has_its_size_in_points_and_letters_as_outlines():
    text = paper.vector(SOME, 120, "svg").decode()
    width = float(re.search(r'<svg[^>]*width="([\d.]+)pt"', text)[1])
    assert width * MM == pytest.approx(120, abs=0.1)
    assert "<text" not in text
    assert "font-family" not in text


@pytest.mark.slow
def test_the_same_figure_gives_the_same_file():
    assert paper.vector(SOME, 89, "pdf") == paper.vector(SOME, 89, "pdf")


QUICK = ("kl_bars", "correlation_matrices")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in BUILDERS])
def test_every_figure_of_the_pages_can_be_printed(name):
    figure = BUILDERS[name](60)
    assert paper.vector(figure, 89, "svg").startswith(b"<?xml")
    rows = list(csv.reader(io.StringIO(paper.source_data(figure))))
    assert rows[0] == ["panel", "trace", "kind", "x", "y", "value"]


def test_source_data_holds_every_number_that_is_drawn():
    mcc = np.array([[1.0, 0.5], [0.5, 1.0]])
    rows = list(
        csv.DictReader(io.StringIO(paper.source_data(figures.agreement_map(mcc, ["a", "b"], np.zeros(2, int)))))
    )
    assert sorted(row["value"] for row in rows) == ["", "", "0.5", "0.5"]
    drawn = list(csv.DictReader(io.StringIO(paper.source_data(SOME))))
    assert {"0.97", "0.98", "0.77"} <= {row["x"] for row in drawn}


@pytest.mark.slow
def test_a_pack_has_two_vectors_and_the_numbers_of_each_figure():
    with zipfile.ZipFile(io.BytesIO(paper.pack({"agree/map": SOME}, 89, {"card.md": "text"}))) as archive:
        assert sorted(archive.namelist()) == ["agree-map.csv", "agree-map.pdf", "agree-map.svg", "card.md"]


def test_an_impossible_width_is_one_sentence():
    with pytest.raises(paper.PaperError, match="30 to 400 mm wide; got 5"):
        paper.vector(SOME, 5)


@pytest.mark.parametrize("name", ["talk-ivae", "talk-vae", "digits-beta-vae"])
def test_the_card_repeats_the_numbers_of_the_page(name):
    run = runs.find(name)
    text, score = card(run), scores_of(run)
    for key, label in (("mcc_pearson", "MCC (Pearson)"), ("elbo", "ELBO (nats per example)")):
        mean, std = getattr(score.mean, key), getattr(score.std, key)
        if mean is not None:
            assert f"| {label} | {mean:.3f} ± {std:.3f} |" in text
    for value in score.floors.values():
        if value is not None:
            assert f"| {value:.3f} |" in text
    assert str(run.about["fingerprint"]) in text
    assert f"{run.about['n_held_out']:,} held out" in text
    assert methods(run).endswith(".")


def test_the_word_factor_stands_only_where_the_lines_are_beaten():
    right, wrong = runs.find("talk-ivae"), runs.find("talk-vae")
    assert beats_floors(right)
    assert not beats_floors(wrong)
    assert "true factors" in methods(right)
    assert "factor" not in (card(wrong) + methods(wrong)).lower()


def test_the_card_of_imported_latents_says_how_rows_were_matched_and_what_is_unknown(tmp_path):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 2))
    run = from_latents(np.stack([z, -z]), tmp_path / "run", u=rng.integers(0, 3, 60), method="CEBRA")
    text = card(run)
    assert "| method | CEBRA |" in text
    assert "| rows matched | by the order of one source |" in text
    assert "The ground truth is unknown" in text
    assert "Which rows the model was fitted on is not stated" in text
    assert "factor" not in text.lower()
    assert str(tmp_path) not in text


@pytest.mark.slow
@pytest.mark.parametrize(("d_x", "x_shape"), [(2, None), (12, None), (12, (3, 4)), (12, (2, 2, 3))])
def test_the_canvases_of_traverse_are_figures_with_their_numbers(d_x, x_shape):
    x = np.random.default_rng(0).uniform(0.1, 0.9, (6, d_x))
    sheet = figures.cells([("data", x), ("reconstruction", x / 2)], x_shape, columns=3)
    view = figures.decoded([0.25, -1.5], ["z1", "z2"], x[0], x_shape, background=x if d_x == 2 else None)
    for figure in (sheet, view):
        assert paper.vector(figure, 89, "svg").startswith(b"<?xml")
    drawn = list(csv.DictReader(io.StringIO(paper.source_data(view))))
    assert [float(row["y"]) for row in drawn if row["trace"] == "z"] == [0.25, -1.5]
    tiles = list(csv.DictReader(io.StringIO(paper.source_data(sheet))))
    found = {float(row[k]) for row in tiles for k in ("x", "y", "value") if row[k] not in ("", *map(str, range(99)))
             and not row[k].startswith("x")}  # fmt: skip
    expected = x if x_shape != (2, 2, 3) else x.reshape(6, 4, 3).mean(-1)
    assert set(np.round(expected.ravel(), 6)) <= set(np.round([*found], 6))


def test_the_canvas_of_the_bend_is_a_figure_at_its_dials():
    """The curves in print are those of the sliders: closed forms, and the shipped curve at the nearest stop."""
    drawn = bend_views.printed((30, 0.9, 0.3, 0.5, 1.0, 5, 1, 1.0))
    curves = {trace.name: np.asarray(trace.y, float) for trace in drawn.data}
    assert np.array_equal(curves["time, memories 0.9 and 0.3"], bend.pairs((0.9, 0.3)).nats)
    seen = bend.segments(*bend.world(bend_views.shipped()["data_seed"]), strength=0.5)
    assert np.array_equal(curves["u seen, strength 0.5"], seen.nats)
    # the shipped curve is the same integral, rounded when it was written
    uniform = bend.sources("uniform", bend_views.shipped()["straight"]["angles"]).nats
    assert np.allclose(curves["linear f, uniform factors, part 1"], uniform, atol=1e-3)
    laplace = bend.sources("laplace", bend_views.shipped()["straight"]["angles"]).nats
    assert not np.allclose(curves["linear f, uniform factors, part 1"], laplace, atol=1e-3)
    assert paper.vector(drawn, 89, "pdf").startswith(b"%PDF")


def test_posteriors_in_print_are_ellipses_at_one_standard_deviation():
    rng = np.random.default_rng(0)
    mean, factor = rng.normal(size=(5, 2)), rng.normal(size=(5, 2, 2))
    cov = factor @ factor.transpose(0, 2, 1) + 0.1 * np.eye(2)
    figure = figures.posterior_ellipses(mean, {"exact": (mean, cov)}, limit=5)
    rings = np.stack([figure.data[0].x, figure.data[0].y], 1).astype(float).reshape(5, -1, 2)[:, :-1]
    off = rings - mean[:, None]
    assert np.einsum("npi,nij,npj->np", off, np.linalg.inv(cov), off) == pytest.approx(1, abs=1e-9)  # Mahalanobis
    assert paper.vector(figure, 120, "svg").startswith(b"<?xml")
