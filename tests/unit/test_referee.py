"""Latents from anywhere are judged with their lines; verdicts appear only where the numbers support them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA, FastICA

from dvae_core import referee
from dvae_core.analysis.comparison.record import Comparison, verdict


def world(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return u (6 labels) and two factors of equal variance whose scale u moves."""
    rng = np.random.default_rng(seed)
    u = rng.integers(0, 6, n)
    z = rng.laplace(size=(n, 2)) * rng.uniform(0.3, 2, (6, 2))[u]
    return u, z / z.std(0)


def turn(degrees: float) -> np.ndarray:
    """Return a rotation of the plane."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]])


def test_a_score_of_the_truth_beats_its_lines_and_a_rotation_of_it_does_not():
    u, z = world()
    right, turned = referee.score(z, -3 * z[:, ::-1] + 1, u), referee.score(z, z @ turn(40), u)
    assert right.value == pytest.approx(1.0)
    assert right.beats
    assert right.matching == (1, 0)
    assert not turned.beats
    assert "not above random rotation" in turned.sentence()
    assert turned.linear_r2 == pytest.approx(1.0)


def test_a_copy_of_u_is_named_and_does_not_beat_copying_u():
    u, z = world()
    z = z + np.column_stack([u, -u])  # u moves the means, so that copying it pays
    found = referee.score(z, np.column_stack([u, np.sin(u)]), u)
    assert not found.beats
    assert any("repeats u" in note for note in found.notes)
    assert found.within_u[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("kind", ["numpy", "torch", "pandas"])
def test_arrays_of_all_kinds_give_the_same_score(kind):
    u, z = world(100)
    given = {"numpy": np.asarray, "pandas": pd.DataFrame}
    if kind == "torch":
        given["torch"] = torch.from_numpy
    hat = z + 0.5
    found = referee.score(given[kind](z), given[kind](hat), u)
    assert found.value == pytest.approx(referee.score(z, hat, u).value)


def test_tables_are_matched_by_their_index_and_other_rows_are_refused():
    _, z = world(100)
    truth = pd.DataFrame(z, index=[f"cell{i}" for i in range(100)])
    mixed = truth.sample(frac=1, random_state=0)
    assert referee.score(truth, mixed).value == pytest.approx(1.0)
    with pytest.raises(ValueError, match="lacks 1 of the 100 rows"):
        referee.score(truth, mixed.rename(index={"cell7": "other"}))
    with pytest.raises(ValueError, match="must describe the same rows"):
        referee.score(z, z[:90])


@pytest.mark.parametrize(
    ("change", "rung"),
    [
        (lambda z: z, "identity"),
        (lambda z: -2 * z[:, ::-1] + 1, "order-sign-scale"),
        (lambda z: z[:, ::-1] ** 3, "monotone"),
        (lambda z: z @ turn(30), "rotation"),
        (lambda z: z @ np.array([[1.0, 0.9], [0.0, 0.5]]), "affine"),
        (lambda z: np.random.default_rng(5).normal(size=z.shape), "none"),
    ],
)
def test_agreement_names_the_lowest_rung_and_no_lower_one(change, rung):
    u, z = world()
    found = referee.agreement([z, change(z)], u)
    assert found.rung == rung
    assert referee.ladder(z, change(z)).rung == rung
    assert 0 <= found.pairwise_mcc <= 1
    assert found.rotation_floor == pytest.approx(0.9, abs=0.01)


def test_seeds_that_share_only_u_agree_no_more_than_u_alone():
    u, z = world()
    rng = np.random.default_rng(1)
    seeds = [np.column_stack([3.0 * u, -2.0 * u**2]) + rng.normal(size=z.shape) for _ in range(3)]
    found = referee.agreement(seeds, u)
    assert found.value > 0.9  # looks like agreement
    assert found.lines["u alone"] == pytest.approx(found.value, abs=0.02)
    assert "Within u the seeds agree with MCC 0.0" in found.notes[0]
    real = referee.agreement([z, -z], u)
    assert real.lines["u alone"] < 0.3


def test_one_seed_constant_latents_and_text_get_one_sentence():
    _, z = world(50)
    with pytest.raises(ValueError, match="at least two seeds"):
        referee.agreement([z])
    with pytest.raises(ValueError, match="got text"):
        referee.score(z, np.array([["a", "b"]] * 50))
    with pytest.raises(ValueError, match="not finite"):
        referee.score(z, z * np.nan)
    constant = referee.score(z, np.column_stack([z[:, 0], np.ones(50)]))
    assert any("Latent 2 is constant" in note for note in constant.notes)
    broken = np.stack([z, z * np.nan, -z])
    found = referee.agreement(broken)
    assert any("Not finite, and in no mean: seed 2" in note for note in found.notes)


def test_decoding_is_above_a_shuffled_target_only_if_the_latents_hold_it():
    u, z = world()
    codes = np.eye(6)[u] @ np.random.default_rng(0).normal(size=(6, 2)) * 5 + z
    knows, noise = referee.downstream(codes, u), referee.downstream(np.random.default_rng(1).normal(size=z.shape), u)
    assert knows.measure == "accuracy"
    assert knows.interval[0] > knows.lines["shuffled target"]
    assert noise.interval[0] < noise.lines["chance"] + 0.05
    assert referee.downstream(z, z @ turn(20)).value == pytest.approx(1.0, abs=1e-6)


def test_any_transformer_is_judged_by_seeds_or_by_bootstraps():
    u, z = world()
    x = z @ np.random.default_rng(2).normal(size=(2, 5))
    ica = referee.judge(FastICA(2, whiten="unit-variance"), x, u, z=z, seeds=3)
    assert ica.how == "seeds"
    assert ica.agreement.rung == "order-sign-scale"
    assert ica.score is not None
    assert ica.score.value > 0.95
    pca = referee.judge(PCA(2), x, u, seeds=2)
    assert pca.how == "bootstraps of the rows"  # its seed changes nothing, and agreeing with itself shows nothing
    with pytest.raises(ValueError, match="at least two"):
        referee.judge(PCA(2), x, seeds=1)


class _CopiesU(TransformerMixin, BaseEstimator):
    """Projects on the direction that u moves: a supervised transformer."""

    def fit(self, x, y):
        """Fit the regression of u on x."""
        self.direction_ = np.linalg.lstsq(x, np.asarray(y, float), rcond=None)[0]
        return self

    def transform(self, x):
        """Return the projection."""
        return (x @ self.direction_)[:, None]


def test_a_supervised_transformer_is_controlled_with_shuffled_u(tmp_path):
    u, z = world()
    x = np.column_stack([u + 0.1 * z[:, 0], z])
    found = referee.judge(_CopiesU(), x, u, seeds=2, u_in_fit=True)
    assert found.agreement.value > 0.99
    assert found.control is not None
    assert "with u shuffled" in str(found)
    run = found.save(tmp_path / "run")
    assert run.config.model_name == "_CopiesU"
    assert run.about["given"]["seconds"] is not None


def test_records_print_and_draw_what_they_found():
    u, z = world(200)
    records = [referee.score(z, z, u), referee.agreement([z, -z], u), referee.ladder(z, z), referee.downstream(z, u)]
    for record in records:
        assert "blind to" in str(record)
        assert record.lines
        assert record.figure().data


ENTRY = dict.fromkeys((
    "rung", "reached", "pairs", "mcc", "mcc_low", "mcc_high", "linear_r2", "within_u", "u_alone", "u_alone_high",
    "decoding", "decoding_low", "decoding_high", "decoding_seeds", "shuffled", "shuffled_high", "truth", "truth_std",
    "truth_seeds", "seconds", "weights",
)) | {"id": "a", "name": "A", "seeds": 4, "latents": 2}  # fmt: skip
GOOD = ENTRY | {
    "rung": "affine", "reached": 12, "pairs": 12, "mcc": 0.98, "mcc_low": 0.97, "mcc_high": 0.99, "u_alone": 0.4,
    "u_alone_high": 0.5, "decoding": 0.8, "decoding_low": 0.75, "decoding_high": 0.85, "shuffled": 0.1,
    "shuffled_high": 0.15, "truth": 0.97, "truth_seeds": [0.96, 0.98],
}  # fmt: skip
POOR = GOOD | {
    "name": "B", "rung": "none", "reached": 0, "mcc": 0.45, "mcc_low": 0.4, "u_alone": 0.44, "decoding": 0.12,
    "decoding_low": 0.08, "truth": 0.8, "truth_seeds": [0.7, 0.95],
}  # fmt: skip


def sentences_of(*runs: dict) -> str:
    """Return the verdict on runs as one text."""
    return " ".join(
        verdict(Comparison(list(runs), 500, 0.9, {"PCA": 0.77, "random rotation": 0.9}, "u", "accuracy", []))
    )


def test_a_verdict_states_what_the_numbers_show():
    text = sentences_of(GOOD, POOR)
    assert "Seeds of A agree only up to a linear map (12 of 12 ordered pairs)." in text
    assert "Seeds of B do not agree, not even up to a linear map." in text
    assert "A (0.98 against 0.40) exceeds the shuffled-u control in agreement; B (0.45 against 0.44) does not." in text
    assert "A (0.80 against 0.10) exceeds the shuffled control in decoding u; B (0.12 against 0.10) does not." in text
    assert "A (0.97) exceeds the best reference line against the true factors (random rotation, 0.90); B" in text


def test_a_verdict_never_praises_what_is_within_its_control():
    text = sentences_of(POOR, POOR | {"name": "C"})
    assert "exceeds the" in text
    for line in text.split(". "):
        if "exceed" in line:
            assert line.startswith("None of B")
    close = sentences_of(GOOD | {"mcc_low": 0.49})  # one pair within the control is enough
    assert "A (0.98 against 0.40) does not exceed the shuffled-u control in agreement." in close
    one_bad_seed = sentences_of(GOOD | {"truth_seeds": [0.96, 0.89]})
    assert "does not exceed the best reference line" in one_bad_seed


def test_a_verdict_is_silent_about_what_was_not_measured():
    text = sentences_of(ENTRY)
    assert text == "A has one seed, so nothing can be said about its agreement."
