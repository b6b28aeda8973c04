"""VaeEstimator is a scikit-learn transformer in scikit-learn's own eyes, and still our model."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import dvae_core
from dvae_core import runs
from dvae_core.data.worlds.sources import sources
from dvae_core.export.estimator import VaeEstimator
from dvae_core.metrics.recovery import mcc
from tests.helpers import unchecked

# Not a failure but a skip of scikit-learn's: it tests array-API input only where SCIPY_ARRAY_API is set.
ALLOWED_SKIPS = {"check_array_api_input"}


@pytest.fixture(scope="module")
def data():
    return sources(n_latents=2, segments=5, per_segment=300, modulate="both", seed=45)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@pytest.mark.parametrize("model", ["vae", "beta-vae", "ivae"])
def test_passes_the_checks_of_scikit_learn_without_exceptions(model):
    # scikit-learn hands odd values to __init__ and expects no complaint before fit, which checks of shapes would make
    with unchecked():
        estimator = VaeEstimator(model=model, latents=2, members=1, epochs=1)
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    assert [r for r in results if r["status"] not in ("passed", "skipped")] == []
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= ALLOWED_SKIPS
    assert sum(r["status"] == "passed" for r in results) > 40


@pytest.mark.slow
def test_an_ivae_recovers_the_factors_through_fit_and_transform(data):
    with unchecked():
        model = VaeEstimator("ivae", members=2, posterior="gauss-newton", epochs=30).fit(data.x, data.u)
    # 2-D, five segments, .9 and more; raw x of this data set scores .74
    assert mcc(data.z, model.transform(data.x, data.u)).value > 0.85
    assert model.elbo_.shape == (2,)
    assert model.member_ == np.argmax(model.elbo_)


@pytest.mark.slow
def test_works_in_a_pipeline_and_is_a_function_of_its_seed(data):
    pipe = make_pipeline(StandardScaler(), VaeEstimator(latents=2, members=1, epochs=3), LogisticRegression())
    first = pipe.fit(data.x, data.u).predict(data.x)
    again = clone(pipe).fit(data.x, data.u).predict(data.x)
    assert (first == again).all()
    assert list(pipe[:-1].get_feature_names_out()) == ["z1", "z2"]


@pytest.mark.slow
def test_score_is_the_bound_and_grows_with_training(data):
    short = VaeEstimator(latents=2, members=1, epochs=1).fit(data.x)
    with unchecked():
        long = VaeEstimator(latents=2, members=1, epochs=30).fit(data.x)
    assert long.score(data.x) > short.score(data.x)
    # same model, same rows, other noise: equal within sampling error of 500 rows, a fraction of a nat
    assert abs(long.score(data.x) - np.nanmax(long.elbo_)) < 0.5


def test_the_default_number_of_latents_follows_the_structure_of_the_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 10)) + 0.3 * rng.normal(size=(300, 10))
    assert VaeEstimator(members=1, epochs=1).fit(x).config_.model.latents == 2  # it was 10


@pytest.mark.slow
def test_inverse_transform_is_the_decoder(data):
    with unchecked():
        model = VaeEstimator(latents=2, members=1, epochs=30).fit(data.x)
    back = model.inverse_transform(model.transform(data.x))
    assert back.shape == data.x.shape
    assert ((back - data.x) ** 2).mean() < 0.5 * data.x.var(0).mean()  # half of what predicting the mean leaves
    with pytest.raises(ValueError, match="2 latents and Z has 3"):
        model.inverse_transform(np.zeros((4, 3)))


def test_the_run_is_kept_where_requested(data, tmp_path):
    model = VaeEstimator(latents=2, members=2, epochs=1, folder=tmp_path / "kept").fit(data.x)
    run = runs.Run(tmp_path / "kept")
    assert run.status().state == "finished"
    assert run.config == model.config_


@pytest.mark.slow
@pytest.mark.parametrize(
    "u",
    [["a", "b"] * 50, np.arange(100) % 3, np.linspace(0, 1, 100), np.linspace(0, 1, 200).reshape(100, 2)],
    ids=["text", "integers", "numbers", "columns"],
)
def test_u_may_be_labels_or_numbers(u):
    x = np.random.default_rng(1).normal(size=(100, 3))
    model = VaeEstimator("ivae", latents=2, members=1, epochs=1).fit(x, u)
    assert np.isfinite(model.score(x, u))


@pytest.mark.slow
def test_mistakes_give_one_sentence(data):
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        VaeEstimator("ivae", members=1, epochs=1).fit(data.x)
    fitted = VaeEstimator("ivae", members=1, epochs=1, posterior="gauss-newton").fit(data.x, data.u)
    with pytest.raises(ValueError, match="requires y"):
        fitted.transform(data.x)
    with pytest.raises(ValueError, match="label '7', which was not there"):
        fitted.score(data.x, np.full(len(data.x), 7))
    with pytest.raises(ValueError, match="has 1500 rows and u has 3"):
        VaeEstimator("ivae", members=1, epochs=1).fit(data.x, [0, 1, 2])
    with pytest.raises(NotFittedError):
        VaeEstimator().score(data.x)


def test_every_seed_can_be_reached_and_the_rows_of_fit_are_encoded(data):
    model = VaeEstimator(latents=2, members=3, epochs=2).fit(data.x)
    assert model.latents_.shape == (3, len(data.x), 2)
    for m in range(3):
        # one member alone, in another batch shape: equal up to float64 rounding
        assert np.allclose(model.transform(data.x, member=m), model.latents_[m], atol=1e-9)
    assert (model.transform(data.x) == model.transform(data.x, member=model.member_)).all()
    with pytest.raises(ValueError, match="members 0 to 2; got 3"):
        model.transform(data.x, member=3)


def test_data_frames_keep_their_names_and_frames_come_back():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["left", "right", "middle"])
    model = VaeEstimator(latents=2, members=1, epochs=1).set_output(transform="pandas").fit(frame)
    assert list(model.feature_names_in_) == ["left", "right", "middle"]
    found = model.transform(frame)
    assert list(found.columns) == ["z1", "z2"]
    assert (found.index == frame.index).all()


def test_the_run_of_a_frame_has_its_column_names(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["left", "right"])
    VaeEstimator(latents=2, members=1, epochs=1, folder=tmp_path / "run").fit(frame)
    assert runs.Run(tmp_path / "run").about["x_names"] == ["left", "right"]


def test_settings_of_the_library_are_settings_of_the_estimator(data):
    model = VaeEstimator(
        "ivae", latents=2, members=1, epochs=1, prior="laplace", encoder="xu", likelihood="gaussian", device="cpu"
    ).fit(data.x, u=data.u)
    config = model.config_
    assert (config.prior.kind, config.model.encoder, config.train.device) == ("laplace", "xu", "cpu")
    with pytest.raises(ValueError, match="requires y"):
        model.transform(data.x)  # the encoder sees u
    assert model.transform(data.x, data.u).shape == (len(data.x), 2)


def test_u_is_given_apart_from_the_target_of_a_pipeline(data):
    target = data.x[:, 0] > 0
    with sklearn.config_context(enable_metadata_routing=True):
        ivae = VaeEstimator("ivae", latents=2, members=1, epochs=1).set_fit_request(u=True)
        ivae.set_transform_request(u=True)
        pipe = make_pipeline(StandardScaler(), ivae, LogisticRegression()).fit(data.x, target, u=data.u)
        assert len(pipe[1].u_labels_) == 5  # the five segments, not the two classes of the target
        assert set(pipe.predict(data.x)) <= {False, True}  # the encoder sees x alone: no u is needed


@pytest.mark.slow
def test_samples_come_from_the_prior_of_the_given_u(data):
    plain = VaeEstimator(latents=2, members=1, epochs=2).fit(data.x)
    x, z = plain.sample(2000)
    assert (x.shape, z.shape) == ((2000, 2), (2000, 2))
    assert np.abs(z.mean(0)).max() < 0.1  # 4 standard errors of 2,000 draws of N(0, 1) are .09
    assert (plain.inverse_transform(z) == x).all()
    ivae = VaeEstimator("ivae", latents=2, members=1, epochs=30).fit(data.x, data.u)
    _, first = ivae.sample(u=np.full(500, data.u[0]))
    _, last = ivae.sample(u=np.full(500, data.u[-1]))
    assert np.abs(first.mean(0) - last.mean(0)).max() > 0.1  # the means move with u in this world
    with pytest.raises(ValueError, match="requires y"):
        ivae.sample(5)


@pytest.mark.slow
def test_verbose_prints_the_bounds(data, capsys):
    VaeEstimator(latents=2, members=2, epochs=1).fit(data.x)
    assert capsys.readouterr().out == ""
    VaeEstimator(latents=2, members=2, epochs=1, verbose=True).fit(data.x)
    assert "held-out ELBO" in capsys.readouterr().out


def test_the_module_reconstructs(data):
    model = VaeEstimator(latents=2, members=1, epochs=1).fit(data.x)
    x = torch.tensor(data.x[:10], dtype=torch.float64)[None]
    with torch.no_grad():
        found = model.vae_(x)[0].numpy()
    assert np.allclose(found, model.inverse_transform(model.transform(data.x[:10])))


@pytest.mark.slow
def test_the_main_names_are_loaded_on_first_use():
    code = (
        "import sys, dvae_core\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
        "assert {'VaeEstimator', 'Vae', 'Run', 'example', 'train', 'mcc'} <= set(dir(dvae_core))\n"
        "assert dvae_core.example('talk-vae').config.members == 8\n"
        "assert 'torch' not in sys.modules\n"
        "print('done')\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "done"
    for name in ("VaeEstimator", "Vae", "train", "mcc", "Config", "Dataset"):
        assert getattr(dvae_core, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = dvae_core.nothing
