"""Latents from anywhere become a run: the same tables as our own, rows matched by key, one sentence for bad input."""

import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from dvae_core import runs
from dvae_core.analysis.common import good_members, stuck_members
from dvae_core.analysis.conditions.record import Conditions
from dvae_core.analysis.table import begin
from dvae_core.cli import main
from dvae_core.config import Config, SourcesData
from dvae_core.data.dataset import DataError
from dvae_core.data.given import read_latents, read_truth
from dvae_core.data.load import dataset_of
from dvae_core.export.latents import latents_of
from dvae_core.runs import Run, RunError, archive
from dvae_core.runs.given import from_latents, given_of, import_latents
from tests.helpers import result_of


def compute(run: Run, name: str, **settings):
    return result_of(begin(run, name, settings))


def world(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return u (5 labels), z (two factors whose variances u moves) and x (four columns)."""
    rng = np.random.default_rng(seed)
    u = rng.integers(0, 5, n)
    z = rng.laplace(size=(n, 2)) * rng.uniform(0.3, 2.0, (5, 2))[u]
    return u, z, np.tanh(z @ rng.normal(size=(2, 4)))


def same(one, other, where: str = "") -> list[str]:
    """Return the places in which two records differ, to the last bit."""
    if isinstance(one, dict):
        return [place for key in one for place in same(one[key], other[key], f"{where}/{key}")]
    if isinstance(one, list | tuple):
        lengths = [] if len(one) == len(other) else [where]
        return lengths + [
            p for i, (a, b) in enumerate(zip(one, other, strict=False)) for p in same(a, b, f"{where}/{i}")
        ]
    if isinstance(one, np.ndarray):
        return [] if np.array_equal(one, other, equal_nan=one.dtype.kind == "f") else [where]
    return [] if one == other or (one != one and other != other) else [where]


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> tuple[Run, Run]:
    """The shipped iVAE scored anew, and the run made of its exported latents."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(
        runs.find("talk-ivae").path, folder / "own", ignore=shutil.ignore_patterns("analysis", "SHA256SUMS")
    )
    run = Run(folder / "own")
    compute(run, "score")
    np.savez(folder / "latents.npz", **latents_of(run))
    return run, import_latents(read_latents([folder / "latents.npz"]), folder / "given", method="iVAE")


@pytest.mark.slow
def test_our_own_run_exported_and_imported_gives_the_same_tables_bit_for_bit(own):
    run, given = own
    assert given.about["fingerprint"] == run.about["fingerprint"]
    one, two = run.record("score"), compute(given, "score")
    for key in ("members", "mean", "std", "floors", "held_out_rows"):
        assert same(one[key], two[key]) == []
    assert same(run.analysis("recovery"), given.analysis("recovery")) == []
    agreement = run.analysis("agreement")
    assert same(agreement, given.analysis("agreement")) == []
    assert not any("one subspace" in note for note in agreement["notes"])  # two latents of two columns: the whole space
    for name, settings in (
        ("members", {}),
        ("disentanglement", {"member_index": 1}),
        ("downstream", {}),
        ("downstream", {"target": "z:1", "reader": "neighbours"}),
    ):
        ours, theirs = compute(run, name, **settings), compute(given, name, **settings)
        ours, theirs = ({k: v for k, v in r.items() if k not in ("notes", "codes")} for r in (ours, theirs))
        assert same(ours, theirs) == []


def test_an_exported_run_stays_itself_through_a_second_export(own, tmp_path):
    _, given = own
    np.savez(tmp_path / "again.npz", **latents_of(given))
    again = read_latents([tmp_path / "again.npz"])
    assert np.array_equal(again.mu_z, given_of(given).mu_z)


def test_analyses_that_need_a_decoder_say_so_in_one_sentence(own):
    _, given = own
    with pytest.raises(RunError, match="needs a decoder"):
        compute(given, "rotation")
    with pytest.raises(RunError, match="imported latents and no model"):
        given.weights()


def test_conditions_of_imported_latents_say_how_far_u_explains_them(tmp_path):
    u, z, x = world()
    copies = np.stack([np.column_stack([u + 0.0, z[:, 0]]), z])
    run = from_latents(copies, tmp_path / "run", u=u, z=z, x=x)
    compute(run, "conditions", member_index=0)
    found = Conditions.load(run, "conditions-0")
    assert found is not None
    assert found.explained[0] > 0.999
    assert found.explained[1] < 0.5
    notes = " ".join(compute(run, "score")["notes"])
    assert "Seed 0: u explains 100.0% or more of z1, which repeats u" in notes
    assert "Seed 1" not in notes


def test_rows_are_matched_by_number_and_not_by_position(tmp_path):
    data = SourcesData(segments=5, per_segment=40)
    dataset = dataset_of(data)
    order = np.random.default_rng(1).permutation(dataset.n)
    z = dataset.z.astype(float)
    run = from_latents(z[order], tmp_path / "run", data=data, rows=order)
    assert compute(run, "score")["mean"]["mcc_pearson"] == pytest.approx(1.0, abs=1e-9)
    assert run.about["given"]["matched"] == "by row number"
    with pytest.raises(DataError, match="have no row or time"):
        from_latents(z, tmp_path / "unkeyed", data=data)
    stated = from_latents(z, tmp_path / "stated", data=data, same_rows=True)
    assert stated.about["given"]["matched"] == "stated to be in the same order"
    with pytest.raises(DataError, match=r"has 200 rows|200;"):
        from_latents(z[:50], tmp_path / "short", data=data, same_rows=True)


def test_pandas_indices_match_seeds_and_refuse_other_rows(tmp_path):
    _, z, x = world(60)
    names = [f"cell{i}" for i in range(60)]
    one = pd.DataFrame(z, index=names)
    two = one.iloc[::-1]
    run = from_latents([one, two], tmp_path / "run", z=z, x=x)
    latents = run.latents()
    assert np.array_equal(latents["mu_z"][0], latents["mu_z"][1])
    with pytest.raises(DataError, match=r"seed 2 lacks 1 of the 60 rows of seed 1"):
        from_latents([one, one.rename(index={"cell3": "other"})], tmp_path / "no")


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet", "h5", "h5ad", "npy"])
def test_every_format_holds_the_same_latents(kind, tmp_path):
    u, z, _ = world(80)
    path = tmp_path / f"latents.{kind}"
    if kind == "npz":
        np.savez(path, mu_z=z[None], u=u)
    elif kind == "npy":
        np.save(path, z)
    elif kind in ("csv", "parquet"):
        table = pd.DataFrame({"row": np.arange(80), "z1": z[:, 0], "z2": z[:, 1], "u": [f"label {k}" for k in u]})
        table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    else:
        with h5py.File(path, "w") as file:
            if kind == "h5":
                file["mu_z"], file["u"] = z[None], u
            else:
                file["obsm/X_scVI"] = z
                file["obs/_index"] = np.array([f"cell{i}" for i in range(80)], dtype=object)
                file["obs/u"] = u
    found = read_latents([path])
    assert found.mu_z.shape == (1, 80, 2)
    assert np.allclose(found.mu_z[0], z, rtol=1e-12, atol=1e-12)  # text has 17 digits
    if kind == "h5ad":
        assert found.rows.tolist()[:2] == ["cell0", "cell1"]
    if kind != "npy":
        run = import_latents(found, tmp_path / "run")
        assert run.about["d_u"] == 1
        assert len(run.about["u_labels"]) == 5


def test_the_csv_that_encode_writes_comes_back_seed_by_seed(tmp_path):
    _, z, _ = world(30)
    table = pd.DataFrame({"member": [0] * 30 + [1] * 30, "row": [*range(30)] * 2, "z1": [*z[:, 0], *-z[:, 0]]})
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "l.csv", index=False)
    found = read_latents([tmp_path / "l.csv"])
    order = np.argsort(found.rows)
    assert np.allclose(found.mu_z[0][order, 0], z[:, 0])
    assert np.allclose(found.mu_z[1], -found.mu_z[0])


def test_bad_latents_get_one_sentence(tmp_path):
    u, z, _ = world(40)
    cases = [
        ({"mu_z": [z, z[:, :1]]}, "seed 1 has 2 latents and seed 2 has 1"),
        ({"mu_z": [z, z[:30]]}, "must describe the same rows"),
        ({"mu_z": z, "u": u[:30]}, "u must have the 40 rows"),
        ({"mu_z": np.full_like(z, np.nan)}, "not finite"),
        ({"mu_z": np.ones_like(z)}, "No latent of any seed varies"),
        ({"mu_z": np.array([["a"] * 2] * 40)}, "are text"),
        ({"mu_z": z, "held_out": np.zeros(40, bool)}, "held_out must mark at least one"),
        ({"mu_z": z, "z": np.array([["a"]] * 40)}, "z must be numbers; got text"),
    ]
    for k, (given, sentence) in enumerate(cases):
        with pytest.raises(DataError, match=sentence):
            from_latents(given.pop("mu_z"), tmp_path / str(k), **given)
        assert not (tmp_path / str(k)).exists()


def test_pickled_arrays_are_refused_and_never_opened(tmp_path):
    np.savez(tmp_path / "o.npz", mu_z=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="Python objects, which can run code"):
        read_latents([tmp_path / "o.npz"])
    (tmp_path / "l.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match="can run code when opened"):
        read_latents([tmp_path / "l.pkl"])


def test_a_seed_that_diverged_or_is_constant_is_shown_and_in_no_mean(tmp_path):
    u, z, x = world()
    broken = z.copy()
    broken[3, 0] = np.nan
    run = from_latents(np.stack([z, broken, np.ones_like(z), -z]), tmp_path / "run", u=u, z=z, x=x)
    assert run.status().failed_members == (1,)
    assert stuck_members(run) == {2: "none of its latents varies"}
    assert good_members(run) == [0, 3]
    record = compute(run, "score")
    assert record["members_failed"] == 1
    assert record["members"][1]["mcc_pearson"] is None
    assert run.analysis("agreement")["member"].tolist() == [0, 3]


def test_latents_alone_can_be_compared_but_not_scored(tmp_path):
    _, z, _ = world()
    run = from_latents(np.stack([z, z[:, ::-1]]), tmp_path / "run")
    record = compute(run, "score")
    assert record["mean"]["mcc_pearson"] is None
    assert run.analysis("agreement")["mcc"][0, 1] == pytest.approx(1.0)
    with pytest.raises(RunError, match="no u came with these latents"):
        compute(run, "conditions")
    with pytest.raises(RunError, match="needs x"):
        compute(run, "difficulty")


def test_text_labels_are_u_and_repeat_free_numbers_are_not_labels(tmp_path):
    u, z, _ = world(50)
    texts = from_latents(z, tmp_path / "texts", u=np.array(["left", "right"])[u % 2])
    assert texts.about["u_labels"] == ["left", "right"]
    numbers = from_latents(z, tmp_path / "numbers", u=np.arange(50))
    assert not numbers.about["has_labels"]


def test_an_imported_run_travels_as_a_zip(tmp_path):
    u, z, x = world()
    run = from_latents(z, tmp_path / "run", u=u, z=z, x=x, method="CEBRA")
    other = archive.unpack(archive.pack(run), tmp_path / "store")
    assert other.status().state == "finished"
    assert other.kind == "latents"
    assert other.config.model_name == "CEBRA"
    assert compute(other, "score")["mean"]["mcc_pearson"] == pytest.approx(1.0)


def test_runs_without_imported_latents_keep_their_key():
    assert Config().key() == Config.from_json(json.dumps({"data": {"kind": "sources"}})).key()
    assert "given" not in json.dumps(Config().key())
    assert not Config().is_given


def test_the_command_line_imports_scores_and_agrees(tmp_path, capsys):
    u, z, x = world()
    rng = np.random.default_rng(0)
    z = z / z.std(0)  # of equal variance: a turned pair of unequal ones is a linear map, not a rotation
    turned = z @ np.linalg.qr(rng.normal(size=(2, 2)))[0]
    np.savez(tmp_path / "l.npz", mu_z=np.stack([z, turned]), u=u, z=z, x=x, row=np.arange(len(z)))
    order = rng.permutation(len(z))
    pd.DataFrame({"row": order, "s1": z[order, 0], "s2": z[order, 1]}).to_csv(tmp_path / "truth.csv", index=False)
    assert main(["import", str(tmp_path / "l.npz"), "--out", str(tmp_path / "run"), "--method", "CEBRA"]) == 0
    capsys.readouterr()
    assert main(["agree", str(tmp_path / "run"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"rung", "pairwise_mcc", "rotation_floor", "linear_r2"}
    assert answer["rung"] == "rotation"
    assert answer["linear_r2"] == pytest.approx(1.0)
    assert answer["rotation_floor"] == pytest.approx(0.9, abs=0.01)
    copy = np.eye(u.max() + 1)[u][:, :2] + 1e-3 * rng.normal(size=(2, len(u), 2))
    np.savez(tmp_path / "copy.npz", mu_z=copy, u=u, row=np.arange(len(u)))
    assert main(["import", str(tmp_path / "copy.npz"), "--out", str(tmp_path / "copy")]) == 0
    assert main(["agree", str(tmp_path / "copy"), "--json"]) == 0
    assert "which repeats u" in capsys.readouterr().err  # agreement alone would look perfect
    assert main(["score", str(tmp_path / "l.npz"), "--truth", str(tmp_path / "truth.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seeds"][0] == pytest.approx(1.0)  # in the order of the file it would be near 0
    assert "copying u" in found["lines"]
    np.savez(tmp_path / "bare.npz", mu_z=z)
    assert main(["score", str(tmp_path / "bare.npz"), "--truth", str(tmp_path / "truth.csv")]) == 2
    assert "--same-rows" in capsys.readouterr().err


def test_runs_of_unknown_or_other_rows_are_not_pooled(tmp_path, capsys):
    u, z, _ = world()
    one = from_latents(z, tmp_path / "one", u=u)
    two = from_latents(z, tmp_path / "two", u=(u + 1) % 5)
    bare = from_latents(z, tmp_path / "bare")
    assert main(["agree", str(one.path), str(two.path)]) == 2
    assert "are of different data" in capsys.readouterr().err
    assert main(["agree", str(one.path), str(bare.path)]) == 2
    assert "It is unknown which rows" in capsys.readouterr().err
    twin = from_latents(z[:, ::-1], tmp_path / "twin", u=u)
    assert main(["agree", str(one.path), str(twin.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rung"] == "order-sign-scale"


def test_truth_is_read_from_arrays_and_tables(tmp_path):
    _, z, _ = world(20)
    np.savez(tmp_path / "t.npz", z_true=z, row=np.arange(20))
    table, u = read_truth(tmp_path / "t.npz")
    assert table.values.shape == (20, 2)
    assert u is None
    np.savez(tmp_path / "none.npz", words=np.array(["a"] * 20))
    with pytest.raises(DataError, match="has no true factors"):
        read_truth(tmp_path / "none.npz")
