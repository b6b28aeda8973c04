"""Recovery, agreement of seeds and downstream use of latents, computed from runs whose answers are known."""

from pathlib import Path

import numpy as np
import pytest

from dvae_core import figures, metrics, recipes, runs
from dvae_core.analysis.downstream.decode import decode
from dvae_core.analysis.downstream.record import DEGREES
from dvae_core.analysis.recovery.compute import gaussian_statistics, recover, statistics_map
from dvae_core.analysis.recovery.record import recovery
from dvae_core.analysis.table import ANALYSES
from dvae_core.config import FileData, SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.metrics.agreement import RUNGS
from dvae_core.runs import RunError
from tests.helpers import scores_of, trained_run

RNG = np.random.default_rng


def barely_trained(path: Path, data, model: str = "ivae", **more) -> runs.Run:
    config = recipes.for_dataset(data, dataset_of(data), model, **({"members": 2, "epochs": 1} | more))
    return trained_run(path, config, title=path.name, score=True)


def finished(path: Path, mu_z: np.ndarray, *, u=None, about=None, z_true=None, config=None) -> runs.Run:
    """Make a run folder with latents of our own choosing, as if they had come out of training."""
    data = SourcesData()
    config = config or recipes.for_dataset(data, dataset_of(data), "vae", members=len(mu_z), latents=mu_z.shape[2])
    run = runs.create(path, config, title=path.name)
    arrays = {"index": np.arange(mu_z.shape[1]), "mu_z": mu_z, "kl_latent": np.ones((len(mu_z), mu_z.shape[2])),
              "elbo": np.zeros(len(mu_z))}  # fmt: skip
    arrays |= {} if u is None else {"u": u}
    arrays |= {} if z_true is None else {"z_true": z_true}
    run.write_npz("latents.npz", arrays)
    run.write_json("about.json", {**run.about, "fingerprint": "same", **(about or {})})
    return run


def done(run: runs.Run, name: str, **settings) -> None:
    for _ in ANALYSES[name](run, **settings):
        pass


# --- recovery ---------------------------------------------------------------------------------------------------------


def test_statistics_map_finds_a_known_A_with_intercept_and_condition_number():
    T = RNG(0).standard_normal((2000, 4))
    T = (T - T[::2].mean(0)) / T[::2].std(0)
    A = np.diag([1.0, 1, 1, 0.1]) @ np.linalg.qr(RNG(1).standard_normal((4, 4)))[0]
    true = T @ A.T + [1, 2, 3, 4]
    found, condition, r2 = statistics_map(true, T)
    scaled = A / (T[::2] @ A.T).std(0)[:, None]  # both sides are standardised
    np.testing.assert_allclose(found, scaled, atol=1e-9)
    singular = np.linalg.svd(scaled, compute_uv=False)
    assert condition == pytest.approx(singular[0] / singular[-1], rel=1e-6)
    assert r2 == pytest.approx(1.0, abs=1e-9)
    noise = RNG(2).standard_normal((2000, 4))
    assert statistics_map(noise, T)[2] < 0.02


def test_recover_matches_metrics_and_distinguishes_a_permutation_from_a_rotation():
    z = RNG(0).standard_normal((1500, 2))
    a = np.radians(40)
    turned = z @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    diverged = np.full_like(z, np.nan)
    found = recover(z, np.stack([-2 * z[:, ::-1], turned, diverged]), gaussian_statistics("both"))
    score = metrics.mcc(z, turned)
    np.testing.assert_allclose(found["matrix_pearson"][1], score.matrix)
    assert tuple(found["matching_pearson"][1]) == score.matching
    interval = metrics.mcc_interval(z, turned, n_boot=200)
    np.testing.assert_allclose(found["interval_pearson"][1], interval[1:4])
    rungs = dict(zip(RUNGS, found["ladder"].T, strict=True))
    assert rungs["permutation"][0] == pytest.approx(1)
    assert rungs["permutation"][1] == pytest.approx(np.cos(a) ** 2, abs=0.03)  # 2 (1 - r^2) / sqrt(750) = 0.03
    assert rungs["orthogonal"][1] == pytest.approx(1, abs=1e-3)
    assert found["A_r2"][0] == pytest.approx(1)  # T = (z, z^2) of a permuted copy is a linear map of T, block by block
    np.testing.assert_allclose(found["block_share"][0], 1, atol=1e-9)
    assert (found["block_share"][1] < 0.75).all()
    assert np.isnan(found["A_r2"][2])
    assert found["matching_pearson"][2].tolist() == [-1, -1]
    np.testing.assert_allclose(np.nanmax(found["curve_x"][0], 1), (-1 * -2 * z).max(0))  # of the signed latent


def test_variance_statistics_are_squares_and_means_are_themselves():
    z = RNG(0).standard_normal((5, 2))
    np.testing.assert_array_equal(gaussian_statistics("variance")(z), z**2)
    np.testing.assert_array_equal(gaussian_statistics("mean")(z), z)
    np.testing.assert_array_equal(gaussian_statistics("both")(z), np.hstack([z, z**2]))


@pytest.mark.slow
def test_score_names_a_constant_factor_and_scores_the_others(tmp_path):
    rng = RNG(0)
    z = np.column_stack([rng.standard_normal(300), np.ones(300), rng.standard_normal(300)])
    np.savez(tmp_path / "t.npz", x=z @ rng.standard_normal((3, 4)), u=rng.integers(0, 3, 300), z=z)
    run = barely_trained(tmp_path / "run", FileData(path=str(tmp_path / "t.npz")), latents=2)
    score = scores_of(run)
    assert "Factor z2 is constant on the held-out rows" in score.notes[0]
    assert 0 < score.mean.mcc_pearson <= 1
    assert score.floors["raw_x"] is not None
    found = recovery(run, 0)
    assert found.names == ("z1", "z3")
    assert found.z_true.shape[1] == len(found.pearson.matching) == 2
    assert found.pearson.value == pytest.approx(np.mean(found.pearson.per_factor))
    assert "z2 is constant" in found.notes[0]


def test_score_of_data_whose_factors_are_all_constant_has_no_mcc(tmp_path):
    rng = RNG(0)
    np.savez(tmp_path / "t.npz", x=rng.standard_normal((200, 3)), z=np.ones((200, 1)))
    run = barely_trained(tmp_path / "run", FileData(path=str(tmp_path / "t.npz")), "vae", latents=2)
    assert scores_of(run).mean.mcc_pearson is None
    assert recovery(run, 0) is None


def test_a_factor_that_u_determines_has_no_within_u_score_and_a_sentence(tmp_path):
    rng = RNG(0)
    u = rng.integers(0, 3, 300)
    z = np.column_stack([u, rng.standard_normal(300)])
    np.savez(tmp_path / "t.npz", x=z @ rng.standard_normal((2, 3)), u=u, z=z)
    run = barely_trained(tmp_path / "run", FileData(path=str(tmp_path / "t.npz")))
    score = scores_of(run)
    assert score.mean.mcc_within_u is None
    assert score.mean.mcc_pearson > 0
    assert any("within u: Factor 1 of 2 is constant within every label" in note for note in score.notes)


# --- agreement --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_agreement_of_copies_and_rotations(tmp_path):
    z = RNG(0).standard_normal((900, 2))
    a = np.radians(30)
    turned = z @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    u = np.repeat(np.arange(3), 300)
    about = {"has_labels": True, "u_names": ["u"], "u_labels": ["a", "b", "c"]}
    run = finished(tmp_path / "one", np.stack([z, -z[:, ::-1], turned]), u=u, about=about)
    done(run, "agreement")
    found = run.analysis("agreement")
    assert found["mcc"][0, 1] == pytest.approx(1)
    assert found["mcc"][0, 2] == pytest.approx(np.cos(a), abs=0.02)
    assert found["mcc_within"][0, 1] == pytest.approx(1)
    rungs = dict(zip(RUNGS, found["ladder"][0, 1], strict=True))
    assert rungs["permutation"] == pytest.approx(1)
    assert found["ladder"][0, 2][RUNGS.index("permutation")] < 0.8
    assert found["ladder"][0, 2][RUNGS.index("orthogonal")] > 0.99
    np.testing.assert_allclose(found["strength"][0, 1], 1)
    assert found["udr"].shape == (3,)
    other = finished(tmp_path / "two", np.stack([3 * z + 1, turned]), u=u, about=about)
    done(run, "agreement", other="two")
    both = run.analysis("agreement-two")
    assert both["run"].tolist() == [0, 0, 0, 1, 1]
    assert both["mcc"][0, 3] == pytest.approx(1)
    assert other.analysis("agreement") is None


def test_agreement_leaves_dead_and_failed_out_and_refuses_one_member(tmp_path):
    z = RNG(0).standard_normal((200, 2)).astype(np.float32)
    run = finished(tmp_path / "one", np.stack([z, z * np.nan, z]))
    done(run, "agreement")
    assert run.analysis("agreement")["member"].tolist() == [0, 2]
    alone = finished(tmp_path / "alone", np.stack([z, z * np.nan]))
    with pytest.raises(RunError, match="at least two members"):
        done(alone, "agreement")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_agreement_across_data_sets_goes_by_u(kind, tmp_path):
    rng = RNG(0)
    sides = []
    for k, n in enumerate((1500, 1800) if kind == "labels" else (6000, 7200)):
        u = rng.integers(0, 30, n) if kind == "labels" else rng.uniform(-1, 1, (n, 1))
        # numbers move z smoothly: a step inside a cell would be a spread that u changes
        moved = RNG(9).standard_normal((30, 2))[u] if kind == "labels" else np.c_[np.sin(4 * u), np.cos(5 * u)]
        z = moved + 0.05 * rng.standard_normal((n, 2))
        about = {"fingerprint": str(k), "has_labels": kind == "labels", "u_names": ["u"],
                 "u_labels": [str(i) for i in range(30)] if kind == "labels" else []}  # fmt: skip
        sides.append(finished(tmp_path / f"run{k}", np.stack([z, -z[:, ::-1]]), u=u, about=about))
    done(sides[0], "agreement", other="run1")
    found = sides[0].analysis("agreement-run1")
    # log deviations of 50 to 100 rows have an error of .1 and less, means a range of 1
    assert found["mcc"][0, 2] > 0.97
    assert "the same u" in str(found["notes"][0])
    assert np.isfinite(found["ladder"]).any()
    strange = finished(tmp_path / "strange", np.zeros((2, 50, 2)) + RNG(0).standard_normal((50, 2)),
                       about={"fingerprint": "x", "u_names": ["other"]})  # fmt: skip
    with pytest.raises(RunError, match="share neither"):
        done(sides[0], "agreement", other=strange.id)


def test_agreement_across_data_sets_sees_a_u_that_moves_the_spread_alone(tmp_path):
    """Means say nothing there: the same latents are alike by their log deviations, and their signs stay free."""
    sds = np.exp(RNG(9).uniform(-1, 1, (20, 2)))
    sides = []
    for k in range(2):
        rng = RNG(k)
        u = rng.integers(0, 20, 4000)
        z = sds[u] * rng.standard_normal((4000, 2))
        about = {"fingerprint": str(k), "has_labels": True, "u_names": ["u"], "u_labels": [str(i) for i in range(20)]}
        other = sds[rng.permutation(20)][u] * rng.standard_normal((4000, 2))  # members of another world
        sides.append(finished(tmp_path / f"run{k}", np.stack([z, -z[:, ::-1], other]), u=u, about=about))
    done(sides[0], "agreement", other="run1")
    found = sides[0].analysis("agreement-run1")
    # 200 rows a label: means have a standard error of .07 and log deviations, which spread by .58, one of .05
    assert found["mcc"][0, 3] > 0.97
    assert found["mcc"][0, 4] > 0.97  # order and sign do not matter
    assert found["mcc"][0, 5] < 0.7
    assert "their sign stays free" in str(found["notes"][0])
    assert np.isnan(found["ladder"]).all()  # no map of means is fitted to their noise


# --- downstream -------------------------------------------------------------------------------------------------------


def test_decode_scores_known_features():
    rng = RNG(0)
    y = rng.standard_normal((3000, 2))
    noisy = y + rng.standard_normal((3000, 2))  # R^2 of the best linear guess is 1/2
    features = {"noisy": [(noisy[:2000], noisy[2000:])], "nothing": [(rng.standard_normal((2000, 2)),
                rng.standard_normal((1000, 2)))]}  # fmt: skip
    found = decode(features, y[:2000], y[2000:])
    assert found["noisy"].value == pytest.approx(0.5, abs=0.05)  # std of R^2 on 1,000 rows: about 0.02
    assert found["noisy"].low < found["noisy"].value < found["noisy"].high
    assert abs(found["nothing"].value) < 0.02
    assert found["chance"].value == pytest.approx(0, abs=0.01)
    labels = (y[:, 0] > 0).astype(int)
    exact = {"exact": [(y[:2000], y[2000:])] * 2}
    for reader in ("linear", "neighbours"):
        got = decode(exact, labels[:2000], labels[2000:], reader=reader)
        assert got["exact"].value > 0.95
        assert len(got["exact"].members) == 2
        assert got["chance"].value == pytest.approx((labels[2000:] == np.bincount(labels[:2000]).argmax()).mean())


def test_an_angle_is_predicted_in_degrees():
    rng = RNG(0)
    angle = rng.uniform(0, 360, (3000, 1))
    noisy = np.radians(angle + rng.normal(0, 10, angle.shape))
    plane = np.hstack([np.cos(noisy), np.sin(noisy)])
    features = {"noisy": [(plane[:2000], plane[2000:])], "nothing": [(rng.standard_normal((2000, 2)),
                rng.standard_normal((1000, 2)))]}  # fmt: skip
    for reader, tolerance in (("linear", 0.6), ("neighbours", 1.2)):  # the error of 1,000 rows: 0.2; 15 neighbours add
        found = decode(features, angle[:2000], angle[2000:], reader=reader, period=360)
        assert found["noisy"].value == pytest.approx(10 * np.sqrt(2 / np.pi), abs=tolerance)  # E|N(0, 10)|
        assert found["noisy"].low < found["noisy"].value < found["noisy"].high
        assert found["nothing"].value == pytest.approx(90, abs=6)
        assert found["chance"].value == pytest.approx(90, abs=6)  # 52 / sqrt(1000) is 1.6, and the angles are drawn
    near = decode({"x": [(plane[:2000], plane[2000:])]}, np.radians(angle[:2000]), np.radians(angle[2000:]),
                  period=2 * np.pi)  # fmt: skip
    assert near["x"].value == pytest.approx(10 * np.sqrt(2 / np.pi), abs=0.6)  # degrees, whatever the unit of u
    shown = figures.decoding(["x", "y", "chance"], [8.0, 20.0, 90.0], [7.0] * 3, [9.0] * 3, [[8.0], [20.0], [90.0]],
                             target="head", measure=DEGREES)  # fmt: skip
    assert shown.layout.title.text.startswith("head: x does best (error in degrees 8.0)")


def test_downstream_of_data_with_an_angle(tmp_path):
    clock = np.arange(300)
    angle = clock * 7 % 360
    x = np.column_stack([np.cos(np.radians(angle)), np.sin(np.radians(angle)), RNG(0).standard_normal((300, 2))])
    path = tmp_path / "a.npz"
    np.savez(path, x=x.astype(np.float32), head=angle.astype(float), speed=x[:, 3])
    data = FileData(path=str(path), x=("x",), u=("head", "speed"), circular=("head",))
    run = barely_trained(tmp_path / "run", data, model="vae")
    done(run, "downstream", target="u:1")
    found = run.analysis("downstream-u1-linear")
    assert str(found["measure"]) == DEGREES
    assert dict(zip(found["names"].tolist(), found["value"], strict=True))["x itself"] < 5
    done(run, "downstream", target="u")
    both = run.analysis("downstream-u-linear")
    assert (str(both["measure"]), "sine and cosine" in str(both["target"])) == ("R²", True)


def test_downstream_job_and_its_refusals(tmp_path):
    run = barely_trained(tmp_path / "run", SourcesData(segments=3, per_segment=80), encoder="xu")
    done(run, "downstream", target="z:1")
    found = run.analysis("downstream-z1-linear")
    assert found["names"].tolist() == ["iVAE", "x itself", "PCA", "FastICA", "chance"]
    assert str(found["measure"]) == "R²"
    with pytest.raises(RunError, match="encoder sees u"):
        done(run, "downstream", target="u")
    with pytest.raises(RunError, match="no column 3 of z"):
        done(run, "downstream", target="z:3")
    with pytest.raises(RunError, match="no 'w' to predict"):
        done(run, "downstream", target="w")
    with pytest.raises(RunError, match="linear or neighbours"):
        done(run, "downstream", reader="forest")


@pytest.mark.slow
def test_linear_ica_solves_linear_mixing_and_fails_on_nonlinear(tmp_path):
    run = finished(tmp_path / "run", RNG(0).standard_normal((2, 50, 2)))
    done(run, "linear_ica")
    found = run.analysis("linear_ica")
    assert found["fastica"].shape == (4, 8)
    assert found["fastica"][0].min() > 0.99
    assert found["fastica"][2].mean() < 0.9
    assert found["pca"][0].mean() < found["fastica"][0].mean()
    assert found["gaussian"][0].mean() < 0.9  # the control: a rotation, of which a random one has .65 in 4-D
