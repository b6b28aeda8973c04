"""Dataset, its split and its file."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from dvae_core.data.dataset import DataError, Dataset, encode_labels
from dvae_core.data.saved import load, save
from dvae_core.data.split import split
from dvae_core.data.worlds.sources import sources

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
LABELS = np.arange(60) // 20


def make(**changes):
    return Dataset(**({"name": "toy", "x": X, "u": LABELS, "z": X[:, :2]} | changes))


# --- Dataset ----------------------------------------------------------------------------------------------------------


def test_types_names_and_counts():
    data = make()
    assert (data.n, data.d_x, data.n_labels, data.has_labels) == (60, 3, 3, True)
    assert (data.x.dtype, data.u.dtype, data.z.dtype) == (np.float32, np.int64, np.float32)
    assert (data.x_names, data.u_names, data.z_names) == (("x1", "x2", "x3"), ("u1",), ("s1", "s2"))
    assert data.u_labels == ("0", "1", "2")


def test_one_column_may_be_given_flat():
    data = make(x=X[:, 0], u=X[:, 1], z=X[:, 2])
    assert data.x.shape == data.u.shape == data.z.shape == (60, 1)
    assert not data.has_labels
    assert data.n_labels == 0


@pytest.mark.parametrize("name", ["x", "u", "z"])
def test_arrays_are_read_only_copies(name):
    mine = X.astype(np.float32)
    data = make(x=mine, u=mine, z=mine)
    with pytest.raises(ValueError, match="read-only"):
        getattr(data, name)[0, 0] = 7
    mine[0, 0] = 7  # the caller's array stays writeable, and the data set does not follow it
    assert getattr(data, name)[0, 0] == np.float32(X[0, 0])


def test_whole_numbers_from_zero_are_counts_and_pictures_are_not():
    counts = RNG.integers(0, 9, (60, 4))
    assert make(x=counts).is_counts
    assert make(x=counts).x.dtype == np.uint8
    assert make(x=counts * 1000).x.dtype == np.uint16
    assert not make(x=counts - 1).is_counts
    assert not make(x=counts.astype(float)).is_counts
    assert not make(x=counts, x_shape=(2, 2)).is_counts
    assert not make(x=counts * 100_000).is_counts


def test_x_float_scales_and_takes_rows():
    data = make(x=np.arange(240).reshape(60, 4), x_shape=(2, 2), x_scale=1 / 255)
    assert data.x_float().dtype == np.float32
    np.testing.assert_allclose(data.x_float(np.array([1, 59])), data.x[[1, 59]] / 255, rtol=1e-6)


def test_u_features():
    assert make(u=None).u_features() is None
    np.testing.assert_array_equal(make().u_features(), np.repeat(np.eye(3, dtype=np.float32), 20, axis=0))
    np.testing.assert_array_equal(make(u=X).u_features(), X.astype(np.float32))


def test_constant_columns_are_kept_and_named():
    data = make(x=np.column_stack([X, np.ones(60)]), x_names=("a", "b", "c", "flat"))
    assert data.d_x == 4
    assert data.meta["constant columns"] == "flat"
    assert "constant columns" not in make().meta


def test_fingerprint_follows_content_not_words():
    base = make().fingerprint
    assert len(base) == 16
    assert make(name="other", meta={"note": "a"}).fingerprint == base
    changed = X.copy()
    changed[5, 1] += 1e-3
    others = [
        make(x=changed),
        make(x_names=("a", "b", "c")),
        make(u=None),
        make(u=X),
        make(z=None),
        make(x_scale=2.0),
        make(rate_hz=1.0),
        make(u_labels=("a", "b", "c")),
        make(x=X.reshape(30, 6), u=None, z=None),
        make(x=X.reshape(30, 6), u=None, z=None, x_shape=(2, 3)),
    ]
    assert len({base, *(data.fingerprint for data in others)}) == len(others) + 1


def test_copies_and_pickles_for_a_cache():
    data = make(meta={"licence": "CC0"})
    for other in (copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert (other.fingerprint, other.meta) == (data.fingerprint, data.meta)


WRONG = {
    "rank": ({"x": X[None]}, r"at least one each; got shape \(1, 60, 3\)"),
    "empty": ({"x": X[:0], "u": None, "z": None}, r"got shape \(0, 3\)"),
    "text": ({"x": X.astype(str)}, "must be numbers; got values of type <U"),
    "objects": ({"x": X.astype(object)}, "must be numbers; got values of type object"),
    "complex": ({"x": X + 1j}, "type complex128"),
    "constant": ({"x": np.ones((60, 2))}, "x must vary, but all its 60 rows are the same"),
    "one row": ({"x": X[:1], "u": None, "z": None}, "x must vary"),
    "rows of u": ({"u": LABELS[:50]}, "x has 60 and u has 50"),
    "rows of z": ({"z": X[:50]}, "x has 60 and z has 50"),
    "names": ({"x_names": ("a",)}, "x has 3 columns but 1 names"),
    "label gap": ({"u": LABELS * 2}, r"codes 0\.\.4, each used at least once; got 3 distinct values from 0 to 4"),
    "negative label": ({"u": LABELS - 1}, "from -1 to 1"),
    "stray label": ({"u": np.where(LABELS == 2, 10**15, LABELS)}, "encode_labels"),
    "label names": ({"u_labels": ("a", "b")}, r"codes 0\.\.1"),
    "labels of numbers": ({"u": X, "u_labels": ("a",)}, "one column; got other numbers"),
    "picture": ({"x_shape": (2, 2)}, r"product 3, the columns of x; got \(2, 2\)"),
    "channels": ({"x": np.tile(X, 4), "x_shape": (2, 3, 2)}, r"\(H, W, 3\)"),
    "scale": ({"x_scale": 0.0}, "x_scale must be a positive number; got 0.0"),
    "rate": ({"rate_hz": float("nan")}, "rate_hz must be a positive number; got nan"),
    "too large": ({"x": X * 1e39}, "infinite or too large"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_data_are_refused_in_one_sentence(case):
    changes, message = WRONG[case]
    with pytest.raises(DataError, match=message):
        make(**changes)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_values_are_counted_and_placed(bad):
    x = X.copy()
    x[[11, 40], 2] = bad
    with pytest.raises(DataError, match=r"x has 2 missing.*first in row 12 of column c;"):
        make(x=x, x_names=("a", "b", "c"))


def test_encode_labels_sorts_text_bytes_and_numbers():
    codes, labels = encode_labels(np.array(["b", "a", "b"]))
    assert (codes.tolist(), labels) == ([1, 0, 1], ("a", "b"))
    assert encode_labels(np.array([10, 2, 10]))[1] == ("2", "10")
    assert encode_labels(np.array([b"one", b"two"]))[1] == ("one", "two")


# --- split ------------------------------------------------------------------------------------------------------------


def test_random_split_is_stratified_disjoint_and_repeatable():
    data = make(u=(np.arange(60) >= 50).astype(int))
    parts = split(data)
    assert parts.how == "random"
    assert sorted([*parts.train, *parts.held_out]) == list(range(60))
    assert np.bincount(data.u[parts.held_out]).tolist() == [10, 2]
    assert all((np.diff(rows) > 0).all() for rows in (parts.train, parts.held_out))
    np.testing.assert_array_equal(parts.held_out, split(data).held_out)
    assert not np.array_equal(parts.held_out, split(data, seed=1).held_out)


def test_blocks_hold_out_every_fifth_of_twenty_stretches():
    data = make(x=np.arange(200.0), u=None, z=None, rate_hz=20.0)
    parts = split(data)
    assert parts.how == "blocks"
    assert parts.held_out.tolist() == [b * 10 + i for b in (2, 7, 12, 17) for i in range(10)]
    assert split(data, "random").how == "random"


@pytest.mark.parametrize("how", ["random", "blocks"])
@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
def test_both_parts_have_rows(how, fraction):
    parts = split(make(u=None, x=X[:7], z=None), how, fraction=fraction)
    assert len(parts.train) > 0
    assert len(parts.held_out) > 0
    assert len(parts.train) + len(parts.held_out) == 7


def test_a_label_of_one_row_is_named():
    u = np.zeros(60, dtype=int)
    u[7] = 1
    with pytest.raises(DataError, match="held-out part has no row of label rare; merge or drop these labels"):
        split(make(u=u, u_labels=("often", "rare")))


def test_a_label_lost_between_blocks_gives_advice():
    u = np.zeros(60, dtype=int)
    u[:3] = 1
    with pytest.raises(DataError, match="split at random, or merge or drop these labels"):
        split(make(u=u), "blocks")


def test_split_arguments_are_checked():
    with pytest.raises(ValueError, match=r"fraction must be between 0 and 1; got 1\.0"):
        split(make(), fraction=1.0)


# --- file -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"u": None, "z": None},
        {"u": X, "u_names": ("a", "b", "c"), "rate_hz": 20.0},
        {"u_labels": ("left", "right", "α"), "meta": {"licence": "CC0", "notes": 'a "quote"'}},
        {"x": RNG.integers(0, 255, (60, 12)), "x_shape": (2, 2, 3), "x_scale": 1 / 255},
    ],
)
def test_save_and_load_are_equal_in_every_field(tmp_path, changes):
    data = make(**changes)
    save(data, tmp_path / "data.npz")
    back = load(tmp_path / "data.npz")
    assert back.fingerprint == data.fingerprint
    fields = ("name", "x_names", "u_names", "z_names", "u_labels", "x_shape", "x_scale", "rate_hz", "meta")
    assert all(getattr(back, field) == getattr(data, field) for field in fields)
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]  # no temporary file is left


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "data.npz"
    save(make(), path)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="disk full"):
        save(make(x=X * 2), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["data.npz"]


@pytest.mark.parametrize("damage", [lambda b: b[:200], lambda b: b"<html>", lambda b: b"", lambda b: b[:-30]])
def test_damaged_files_are_data_errors(tmp_path, damage):
    path = tmp_path / "data.npz"
    save(make(), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"data\.npz is not a complete file written by this library"):
        load(path)


def test_objects_are_not_unpickled_on_load(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, name="a", meta="{}", z=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="not a complete file"):
        load(tmp_path / "data.npz")


def test_synthetic_data_survive(tmp_path):
    data = sources(segments=3, per_segment=50)
    save(data, tmp_path / "data.npz")
    assert load(tmp_path / "data.npz").fingerprint == data.fingerprint


def test_packed_pictures_read_like_the_bytes_they_stand_for(monkeypatch):
    import torch

    from dvae_core.data import dataset as module
    from dvae_core.training.engine import unpack

    rng = np.random.default_rng(0)
    x = (rng.random((50, 35)) < 0.3).astype(np.uint8)
    x[:, 3], x[:, 4] = 0, 1
    plain = Dataset("a", x, x_shape=(5, 7))
    monkeypatch.setattr(module, "PACK_ABOVE", 1)
    packed = Dataset("a", x, x_shape=(5, 7))
    assert isinstance(packed.x, module.PackedBits)
    assert "packed as bits" in packed.meta["storage"]
    assert packed.meta["constant columns"] == plain.meta["constant columns"]
    assert (packed.n, packed.d_x, packed.x.nbytes) == (50, 35, 50 * 5)
    rows = np.array([4, 0, 49])
    np.testing.assert_array_equal(packed.x_float(rows), plain.x_float(rows))
    np.testing.assert_array_equal(packed.x_float(), plain.x_float())
    np.testing.assert_array_equal(np.asarray(packed.x), x)
    np.testing.assert_array_equal(unpack(torch.from_numpy(packed.x.bits.copy()), 35).numpy(), x)
    with pytest.raises(DataError, match="need 5 bytes a row"):
        module.PackedBits(np.zeros((3, 4), np.uint8), 35)


def test_bytes_that_nobody_can_change_are_not_copied():
    x = np.arange(256, dtype=np.uint8).reshape(16, 16)
    x.setflags(write=False)
    assert Dataset("a", x, x_shape=(4, 4)).x is x
    assert Dataset("a", x.copy(), x_shape=(4, 4)).x is not x


def test_whole_trials_and_sessions_are_held_out_with_every_label_on_both_sides():
    trial = np.repeat(np.arange(20), 10)
    data = Dataset("a", RNG.standard_normal((200, 3)), u=trial % 2, trial=trial, session=trial // 5)
    for how, of in (("trials", data.trial), ("sessions", data.session)):
        parts = split(dataclasses.replace(data, u=None, u_names=(), u_labels=()), how)
        assert not set(of[parts.train]) & set(of[parts.held_out])
    parts = split(data)
    assert parts.how == "trials"
    assert len(parts.held_out) == 40
    assert set(data.u[parts.held_out]) == {0, 1}
    with pytest.raises(DataError, match="has no trials to hold out"):
        split(dataclasses.replace(data, trial=None), "trials")
    with pytest.raises(DataError, match="2 rows; at least 3 are needed"):
        split(Dataset("b", np.array([[0.0], [1.0]])))
