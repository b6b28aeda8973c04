"""Recordings: structs and cells by name, event times in bins with behaviour beside them; the real shared files."""

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from dvae_core.data.readers import mat, mat_format, spikes
from dvae_core.data.readers.common import ReadOptions
from dvae_core.data.split import split
from tests.shared_data import shared

RNG = np.random.default_rng(0)


def cells(*items):
    out = np.empty((1, len(items)), dtype=object)
    for i, item in enumerate(items):
        out[0, i] = item
    return out


# --- bins, rates, behaviour -------------------------------------------------------------------------------------------


def test_every_spike_is_counted_once_in_the_bin_that_begins_before_it():
    edges = spikes.bin_edges(1.0, 2.05, 0.25)
    np.testing.assert_allclose(edges, [1, 1.25, 1.5, 1.75, 2])
    counts = spikes.bin_spikes([np.array([2.0, 1.0, 1.1, 1.25, 0.9]), np.array([])], edges)
    assert counts.T.tolist() == [[2, 1, 0, 0], [0, 0, 0, 0]]


def test_smoothing_keeps_a_constant_rate_and_the_number_of_spikes():
    flat = spikes.smooth_rates(np.full((50, 1), 3, np.uint16), 0.1, 0.5)
    np.testing.assert_allclose(flat, 30, rtol=1e-12)
    one = np.zeros((101, 1), np.uint16)
    one[50] = 1
    rate = spikes.smooth_rates(one, 0.1, 0.3)[:, 0]
    # a Gaussian density in 1/s: its integral is the one spike, its peak 1 / (sigma sqrt(2 pi)); cut at 4 sigma
    assert rate.sum() * 0.1 == pytest.approx(1, abs=1e-3)
    assert rate.max() == pytest.approx(1 / (0.3 * np.sqrt(2 * np.pi)), rel=1e-3)


def test_behaviour_is_averaged_interpolated_or_left_out():
    edges = np.arange(0, 10.5, 1.0)
    clock = np.array([0.2, 0.6, 1.5, 3.5, 4.5, 40.0])
    values, known = spikes.at_bins(clock, np.array([[0.0], [2], [3], [5], [6], [0]]), edges)
    assert values[:5, 0].tolist() == [1, 3, 4, 5, 6]
    assert known.tolist() == [True] * 5 + [False] * 5  # 35 s without a sample is more than 5 bins and 5 steps
    labels, _ = spikes.at_bins(clock, np.array([[1], [2], [7], [9], [9], [9]]), edges, nearest=True)
    assert labels[:4, 0].tolist() == [2, 7, 7, 9]


def test_event_times_and_behaviour_of_a_mat_become_rows(tmp_path):
    clock = np.arange(0, 20, 0.02)
    speed = 1 + np.sin(clock)
    units = [np.sort(RNG.uniform(0, 20, k)) for k in (300, 7, 40)]
    session = {"spikes": cells(*units, np.zeros((0, 1))), "t": clock, "speed": speed}
    savemat(tmp_path / "a.mat", session)
    data = readers.read(tmp_path / "a.mat", bin_s=0.5)
    assert (data.n, data.d_x, data.rate_hz, data.is_counts) == (39, 3, 2.0, True)
    edges = np.arange(0, 19.6, 0.5)
    for i, unit in enumerate(units):
        np.testing.assert_array_equal(data.x[:, i], np.histogram(unit, edges)[0])
    np.testing.assert_allclose(data.u[:, 0], speed[: 39 * 25].reshape(39, 25).mean(axis=1), rtol=1e-6)
    assert data.u_names == ("speed",)
    assert data.meta["bins"] == "0.5 s, counts, 0 to 19.5 s"
    smooth = readers.read(tmp_path / "a.mat", bin_s=0.5, smooth_s=1.0)
    assert smooth.x.dtype == np.float32
    assert "smoothed with a Gaussian of 1 s" in smooth.meta["bins"]
    assert readers.read(tmp_path / "a.mat", rows=5).n == 5


def test_behaviour_with_a_clock_of_another_name(tmp_path):
    savemat(
        tmp_path / "a.mat", {"spike_times": [0.5, 1.5, 1.6, 7], "pupil": np.arange(8.0) ** 2 / 2, "when": np.arange(8)}
    )
    with pytest.raises(DataError, match=r"pupil of a\.mat has no times to bin it by; name them \(time=NAME"):
        readers.read(tmp_path / "a.mat", u="pupil")
    data = readers.read(tmp_path / "a.mat", u="pupil", time="when", bin_s=1.0)
    assert data.x[:, 0].tolist() == [1, 2, 0, 0, 0, 0, 0]
    assert data.u[:, 0].tolist() == [i**2 / 2 for i in range(7)]


# --- structs and cells ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
def test_structs_cells_and_texts_have_names(tmp_path, compressed):
    content = {
        "beh": {"pupil": {"area": RNG.standard_normal((9, 1))}, "name": "mouse"},
        "trials": cells(RNG.standard_normal((4, 3)), RNG.standard_normal((5, 3))),
        "side": cells(*["left", "right", "left", "left", "right", "left", "left", "right", "right"]),
        "ragged": cells(np.zeros((2, 3)), np.zeros((4, 5))),
    }
    path = tmp_path / "a.mat"
    savemat(path, content, do_compression=compressed)
    found = {v.name: (v.shape, v.kind) for v in readers.inspect(path) if v.readable}
    assert found == {"beh.pupil.area": ((9, 1), "column"), "trials{}": ((9, 3), "matrix"), "side{}": ((9,), "label")}
    data = readers.read(path, x="trials{}", u="side{}", z="beh.pupil.area")
    np.testing.assert_array_equal(data.x, np.concatenate(content["trials"][0]).astype(np.float32))
    assert data.u_labels == ("left", "right")
    assert data.z.shape == (9, 1)
    with pytest.raises(
        DataError, match=r"beh of a\.mat is a MATLAB struct, not plain numbers; choose beh\.pupil\.area\."
    ):
        readers.read(path, x="beh")
    with pytest.raises(DataError, match=r"ragged\{\} of a\.mat is a ragged MATLAB cell"):
        readers.read(path, x="ragged{}")
    with pytest.raises(DataError, match=r"beh\.name of a\.mat is a text"):
        readers.read(path, x="beh.name")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_a_part_of_the_rows_is_read_block_by_block(tmp_path, monkeypatch, compressed, turned):
    monkeypatch.setattr(mat, "BLOCK", 200)  # several blocks for a small array
    x, u = RNG.standard_normal((60, 7)), RNG.standard_normal((60, 2))
    savemat(tmp_path / "a.mat", {"x": x.T if turned else x, "u": u}, do_compression=compressed)
    data = readers.read(tmp_path / "a.mat", rows=11)
    np.testing.assert_array_equal(data.x, x[:11].astype(np.float32))
    np.testing.assert_array_equal(data.u, u[:11].astype(np.float32))
    assert "11 of 60 rows, the first ones" in data.meta["notes"]


def test_first_columns_of_a_matrix(tmp_path):
    svd = RNG.standard_normal((30, 8))
    savemat(tmp_path / "a.mat", {"x": RNG.standard_normal((30, 2)), "beh": {"svd": svd}})
    data = readers.read(tmp_path / "a.mat", u="beh.svd[:3]")
    np.testing.assert_array_equal(data.u, svd[:, :3].astype(np.float32))


def test_a_struct_of_very_many_parts_is_not_walked_through(tmp_path, monkeypatch):
    monkeypatch.setattr(mat_format, "MAX_PARTS", 100)
    many = np.zeros((1, 300), dtype=[("a", object)])
    for i in range(many.shape[1]):
        many[0, i]["a"] = float(i)
    savemat(tmp_path / "a.mat", {"stat": many, "x": RNG.standard_normal((9, 2))})
    assert [v.name for v in readers.inspect(tmp_path / "a.mat") if v.readable] == ["x"]
    with pytest.raises(DataError, match=r"stat of a\.mat is a MATLAB struct or cell of more than 100 parts"):
        readers.read(tmp_path / "a.mat", x="stat")


# --- real files -------------------------------------------------------------------------------------------------------


def leaves(item):
    """Times of all structs in nested cells, as scipy finds them."""
    if item.dtype == object:
        return [t for inner in item.ravel(order="F") for t in leaves(inner)]
    return [item["time"][0, 0].ravel()] if item.dtype.names else []


def test_hippocampus_spikes_are_those_of_scipy():
    path = shared("hippocampus-linear/spikes.mat")
    expected = [t for t in leaves(loadmat(path)["spikes"]) if t.size]
    units = mat.recording(path, ReadOptions()).load({"spikes{}.time": mat.Part(events=True)})["spikes{}.time"]
    found = [unit for unit in units if unit.size]
    assert (len(found), sum(map(len, found))) == (31, 28_829)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_hippocampus_folder_is_spikes_and_position_of_the_running_rat():
    folder = shared("hippocampus-linear")
    everything = readers.read(folder)
    assert (everything.d_x, everything.rate_hz, everything.u_names) == (31, 10.0, ("position1", "position2"))
    assert everything.x.sum(dtype=int) == 28_829 - 4  # 4 spikes come before the camera
    assert everything.meta["licence"].startswith("MIT")
    data = readers.read(folder, bin_s=0.1, smooth_s=0.15, min_speed=50.0)
    assert 2300 < data.n < 2500
    # a data-integrity test: where the rat is can be read from the spikes only if both clocks are right. Its README says
    # R2 0.59 for 15 nearest neighbours; measured here 0.61 with this smoothing, 0.33 without
    parts = split(data, "blocks")
    x, y = np.sqrt(data.x.astype(float))[parts.train], np.sqrt(data.x.astype(float))[parts.held_out]
    near = np.argsort((x**2).sum(axis=1) - 2 * y @ x.T, axis=1, kind="stable")[:, :15]
    error = data.u[parts.held_out] - data.u[parts.train][near].mean(axis=1)
    r2 = 1 - (error**2).sum() / ((data.u[parts.held_out] - data.u[parts.train].mean(axis=0)) ** 2).sum()
    assert r2 > 0.5


def test_the_tracker_alone():
    data = readers.read(shared("hippocampus-linear/trajectory.videoPositionTracking"))
    assert (data.x.shape, round(data.rate_hz, 3)) == ((118_965, 2), 60.0)
    assert "pixels of a camera of 640x480" in data.meta["unit"]


def test_case_studies():
    place = readers.read(shared("case-studies/spikes-1.mat"), bin_s=0.5)
    assert (place.x.sum(dtype=int), place.u_names, place.u.max() > 90) == (220, ("X",), True)
    retina = readers.read(shared("case-studies/08_spikes-1.mat"))
    assert (retina.n, retina.x.sum(axis=0, dtype=int).tolist()) == (300, [750, 969])
    trials = readers.read(shared("case-studies/10_spikes-1.mat"), x="train", u="direction")
    assert (trials.x.shape, trials.n_labels) == ((50, 2000), 2)
    eeg = readers.read(shared("case-studies/EEG-1.mat"), x="EEG", u="t")
    assert eeg.x.shape == (1000, 10)
    assert "a rate of 1000 Hz, if that is seconds" in eeg.meta["notes"]
    with pytest.raises(DataError, match="case-studies is a folder with 4 data files"):
        readers.read(shared("case-studies"))


def test_stringer_layout():
    data = readers.read(shared("stringer-format"))
    expected = loadmat(shared("stringer-format/spont_SYNTHETIC_2000-01-01.mat"), simplify_cells=True)
    np.testing.assert_array_equal(data.x, expected["Fsp"].T)
    np.testing.assert_array_equal(data.u[:, 0], expected["beh"]["runSpeed"].astype(np.float32))
    np.testing.assert_array_equal(data.u[:, 2:], expected["beh"]["face"]["motionSVD"][:, :3])
    assert (data.rate_hz, data.meta["mouse"], data.u_names[:2]) == (
        3.0,
        "SYNTHETIC",
        ("beh.runSpeed", "beh.pupil.area"),
    )


def test_arff_is_that_of_scipy():
    from scipy.io import arff

    path = shared("eeg-eye-state/eeg_eye_state.arff")
    data = readers.read(path, rate_hz=128.0)
    expected, _ = arff.loadarff(path)
    assert (data.x.shape, data.u_names, data.u_labels) == ((14_980, 14), ("eyeDetection",), ("0", "1"))
    for i, name in enumerate(data.x_names):
        np.testing.assert_array_equal(data.x[:, i], expected[name].astype(np.float32))
    np.testing.assert_array_equal(data.u, expected["eyeDetection"].astype(int))
    assert data.meta["licence"].startswith("CC BY 4.0")


def test_arff_headers(tmp_path):
    text = "% note\n@relation r\n@attribute 'first one' real\n@ATTRIBUTE b integer\n@attribute c {no, 'yes'}\n@data\n"
    path = tmp_path / "a.arff"
    path.write_text(text + "% note\n1.5,2,no\n2.5,3,'yes'\n")
    data = readers.read(path)
    assert (data.x_names, data.u_labels) == (("first one", "b"), ("no", "yes"))
    assert [v.name for v in readers.inspect(path)] == ["first one", "b", "c"]
    bad = {
        "has 1 missing values": text + "1.5,?,no\n2.5,3,yes\n",
        r"line 2 is not an @ATTRIBUTE": "@relation r\nnonsense\n@data\n1\n",
        r"it has no @DATA": "@relation r\n@attribute a real\n",
        "a header but no rows": text,
        "two of one name": "@attribute a real\n@attribute a real\n@data\n1,2\n",
        "more values than its 3 columns": text + "1,2,no,4\n1,2,no,4\n",
    }
    for message, content in bad.items():
        path.write_text(content)
        with pytest.raises(DataError, match=message):
            readers.read(path)


# --- refused ----------------------------------------------------------------------------------------------------------

REFUSED = {
    "no speed": ({"x": RNG.standard_normal((5, 2))}, {"min_speed": 1.0}, "has no speed to choose running periods by"),
    "too thin bins": ({"spiketimes": [1.0, 2, 3]}, {"bin_s": 1e-9}, "cannot be binned: .* choose another width"),
    "bins of nothing": ({"spiketimes": [1.0, 2, 3]}, {"bin_s": 0.0}, "A bin must be wider than 0 s"),
    "endless times": ({"spiketimes": [1.0, np.inf, 3]}, {}, "times must be finite"),
    "far apart times": ({"spiketimes": [1.0, 3, 1e300]}, {}, "can be made"),
    "smoothing": ({"spiketimes": [1.0, 2, 3]}, {"smooth_s": -1.0}, "must be wider than 0 s"),
    "events as u": (
        {"x": np.eye(3), "spiketimes": [1.0, 2, 4, 5]},
        {"x": "x", "u": "spiketimes"},
        "which can be x only",
    ),
    "mixed": ({"x": np.eye(3), "spiketimes": [1.0, 2, 4, 5]}, {"x": ["x", "spiketimes"]}, "mixes event times"),
    "no rows": ({"x": np.eye(3)}, {"rows": 0}, "At least one row"),
    "wrong clock": ({"spiketimes": [1.0, 2, 3], "u": np.eye(5)}, {"u": "u", "time": "tt"}, "nothing called 'tt'"),
    "short clock": (
        {"spiketimes": [1.0, 2, 3, 4], "u": np.eye(5), "w": [1.0, 2]},
        {"u": "u", "time": "w"},
        "has shape .* but 2 times",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_content_that_cannot_be_read_is_refused(tmp_path, case):
    content, arguments, message = REFUSED[case]
    savemat(tmp_path / "a.mat", content)
    with pytest.raises(DataError, match=message):
        readers.read(tmp_path / "a.mat", **arguments)


def test_a_path_outside_the_root(tmp_path):
    root = tmp_path / "data"
    (root / "inner").mkdir(parents=True)
    (tmp_path / "secret.npz").touch()
    (root / "link.npz").symlink_to(tmp_path / "secret.npz")
    assert readers.within(root, "inner/a.npz") == root.resolve() / "inner/a.npz"
    assert readers.within(root, root / "a.npz") == root.resolve() / "a.npz"
    for bad in ("../secret.npz", "inner/../../secret.npz", tmp_path / "secret.npz", "link.npz", "/etc/passwd"):
        with pytest.raises(DataError, match="is outside the data folder"):
            readers.within(root, bad)
    with pytest.raises(DataError, match="That is not a path"):
        readers.within(root, "a\0b")


def test_a_licence_is_not_read_through_a_link(tmp_path):
    np.save(tmp_path / "F.npy", RNG.standard_normal((4, 2)))
    (tmp_path / "secret").write_text("root:x:0:0\n")
    (tmp_path / "LICENSE").symlink_to(tmp_path / "secret")
    assert "licence" not in readers.read(tmp_path / "F.npy").meta
    (tmp_path / "LICENSE.txt").write_text("\n\nThe MIT License (MIT)\n\nCopyright ...")
    assert readers.read(tmp_path / "F.npy").meta["licence"] == "The MIT License (MIT)"
