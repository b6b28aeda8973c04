"""Ordinary odd files that were once silently read wrongly: clocks in other units, marks of numbers, names."""

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import sparse
from scipy.io import savemat

from dvae_core.data import care, readers
from dvae_core.data.dataset import DataError, MissingValues

RNG = np.random.default_rng(1)
N = 60
X = RNG.standard_normal((N, 3))
T = np.arange(N) / 30
CLOCK = np.arange(0, 2, 0.01)
SPEED = np.sin(3 * CLOCK)


def table(path, columns, **more):
    pd.DataFrame({"a": X[:, 0].round(3), "b": X[:, 1].round(3), **columns}).to_csv(path, index=False, **more)
    return path


def text(path, header, *columns):
    path.write_text("\n".join([header, *map(";".join if ";" in header else ",".join, zip(*columns, strict=True))]))
    return path


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e3, 1e6])
@pytest.mark.parametrize("which", ["x", "u"])
def test_clocks_in_two_units_are_refused_unless_the_unit_is_stated(tmp_path, scale, which):
    times, clock = (T * scale, CLOCK) if which == "x" else (T, CLOCK * scale)
    np.savez(tmp_path / "a.npz", rates=X, t=times, speed=SPEED, speed_t=clock)
    with pytest.raises(DataError, match="one seems to be in another unit"):
        readers.read(tmp_path / "a.npz", u="speed")
    end = {1e3: "_ms", 1e6: "_us"}[scale]
    names = (f"t{end}", "speed_t") if which == "x" else ("t", f"speed_t{end}")
    np.savez(tmp_path / "b.npz", rates=X, speed=SPEED, **dict(zip(names, (times, clock), strict=True)))
    np.savez(tmp_path / "c.npz", rates=X, t=T, speed=SPEED, speed_t=CLOCK)
    expected = readers.read(tmp_path / "c.npz", u="speed")
    found = readers.read(tmp_path / "b.npz", u="speed")
    np.testing.assert_allclose(found.u, expected.u, atol=0.03)  # a sample on an edge may change rows: 3 * 0.01 s
    assert "converted to seconds" in found.meta["notes"]


def test_clocks_that_never_meet_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", rates=X, t=T, speed=SPEED, speed_t=CLOCK + 1.7e9)
    with pytest.raises(DataError, match="they never meet"):
        readers.read(tmp_path / "a.npz", u="speed")


def test_spikes_in_seconds_and_behaviour_in_milliseconds(tmp_path):
    savemat(tmp_path / "a.mat", {"spiketimes": np.sort(RNG.uniform(0, 2, 80)), "pos": SPEED, "t": CLOCK * 1000})
    with pytest.raises(DataError, match="another unit"):
        readers.read(tmp_path / "a.mat", u="pos")


def test_the_unit_of_a_clock_in_an_attribute(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["dff"], file["time"] = X, T * 1000
        file["time"].attrs["units"] = "ms"
    assert readers.read(tmp_path / "a.h5").rate_hz == pytest.approx(30)


def test_a_clock_that_goes_back_is_noted(tmp_path):
    np.savez(tmp_path / "a.npz", rates=X, t=np.r_[T[30:], T[:30]])
    assert "t goes back at 1 of 60 rows, first at row 31" in readers.read(tmp_path / "a.npz").meta["notes"]


@pytest.mark.parametrize("name", ["time[s]", "Time (s)", "time_ms", "elapsed_time", "timestamp_us"])
def test_a_column_named_as_a_time_that_rises_is_the_clock(tmp_path, name):
    times = T * {"time_ms": 1e3, "timestamp_us": 1e6}.get(name, 1) + 5
    data = readers.read(table(tmp_path / "a.csv", {name: times}))
    assert data.x_names == ("a", "b")
    assert f"{name} (clock)" in data.meta["notes"]
    assert data.rate_hz == (None if name == "elapsed_time" else pytest.approx(30, rel=1e-3))


def test_a_reaction_time_is_data(tmp_path):
    assert "reaction_time" in readers.read(table(tmp_path / "a.csv", {"reaction_time": X[:, 2]})).x_names


def test_a_trial_without_an_end_holds_nothing_and_overlaps_are_noted(tmp_path):
    trials = {"start": np.array([1.0, 11, 31]), "stop": np.array([9.0, np.nan, 41]), "side": np.array([0.0, 1, 2])}
    savemat(tmp_path / "a.mat", {"spiketimes": np.sort(RNG.uniform(0, 50, 400)), "trials": trials})
    data = readers.read(tmp_path / "a.mat", x="spiketimes", u="trials.side", bin_s=0.5)
    assert (((data.row_index >= 1) & (data.row_index <= 9)) | (data.row_index >= 31)).all()
    trials |= {"start": np.array([1.0, 5, 31]), "stop": np.array([9.0, 29, 41])}
    savemat(tmp_path / "a.mat", {"spiketimes": np.sort(RNG.uniform(0, 50, 400)), "trials": trials})
    assert "overlap" in readers.read(tmp_path / "a.mat", x="spiketimes", u="trials.side").meta["notes"]


# --- numbers as people write them -------------------------------------------------------------------------------------


def test_dots_for_thousands_beside_decimal_commas(tmp_path):
    values = (X[:, 0] * 1e6).astype(int)
    written = [f"{v:,}".replace(",", ".") for v in values]
    path = text(tmp_path / "a.csv", "a;b", written, [f"{v:.3f}".replace(".", ",") for v in X[:, 1]])
    data = readers.read(path)
    np.testing.assert_array_equal(data.x[:, 0] + np.float32(0), values.astype(np.float32))
    assert "dots were read as thousands separators" in data.meta["notes"]


def test_quoted_decimal_commas_are_not_thousands(tmp_path):
    written = [f'"{v:.3f}"'.replace(".", ",") for v in X[:, 0]]  # some begin with 0: no thousands
    data = readers.read(text(tmp_path / "a.csv", "a,b", written, [f"{v:.3f}" for v in X[:, 1]]))
    np.testing.assert_allclose(data.x[:, 0], X[:, 0].round(3), atol=1e-6)
    written = [f'"{1 + abs(v):.3f}"'.replace(".", ",") for v in X[:, 0]]  # 1,234: a thousand, or one and a bit
    with pytest.raises(DataError, match="may be decimal or for thousands"):
        readers.read(text(tmp_path / "b.csv", "a,b", written, [f"{v:.3f}" for v in X[:, 1]]))


def test_dots_and_commas_that_are_both_decimal_are_refused(tmp_path):
    written = [f"{v:.3f}".replace(".", "," if i % 3 else ".") for i, v in enumerate(X[:, 0] / 10)]
    with pytest.raises(DataError, match="Column a"):
        readers.read(text(tmp_path / "a.csv", "a;b", written, [f"{v:.3f}".replace(".", ",") for v in X[:, 1]]))


def test_the_minus_of_typesetting_and_unbreakable_blanks(tmp_path):
    minus = [f"{v:.3f}".replace("-", "\u2212") for v in X[:, 0]]
    wide = [f"{v * 1e4:,.2f}".replace(",", "\u00a0") for v in X[:, 1]]
    data = readers.read(text(tmp_path / "a.csv", "a,b", minus, wide))
    np.testing.assert_allclose(data.x, np.c_[X[:, 0].round(3), (X[:, 1] * 1e4).round(2)], rtol=1e-5)


def test_numbers_as_text_in_parquet_are_refused_by_name(tmp_path):
    pd.DataFrame({"a": X[:, 0], "e": [f"{v:.2f}" for v in X[:, 1]]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"Column e of a\.parquet holds numbers as text"):
        readers.read(tmp_path / "a.parquet")


# --- labels, angles and names -----------------------------------------------------------------------------------------


def test_blanks_around_labels_and_empty_labels(tmp_path):
    data = readers.read(table(tmp_path / "a.csv", {"label": ["left", "left ", " right"] * 20}))
    assert data.u_labels == ("left", "right")
    np.savez(tmp_path / "a.npz", x=X, u=np.array(["", "b", "c"] * 20))
    with pytest.raises(MissingValues) as caught:
        readers.read(tmp_path / "a.npz")
    assert care.complete(caught.value, "drop rows").u_labels == ("b", "c")


@pytest.mark.parametrize("container", ["csv", "npz"])
def test_whole_degrees_are_an_angle(tmp_path, container):
    path, degrees = tmp_path / f"a.{container}", np.arange(N) * 7 % 360
    if container == "csv":
        table(path, {"dir": degrees})
    else:
        np.savez(path, x=X, dir=degrees)
    data = readers.read(path, u="dir", circular="dir")
    assert data.u_period == (360.0,)
    np.testing.assert_array_equal(data.u[:, 0], degrees)


def test_a_heading_in_whole_degrees_is_not_a_label(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.repeat(X, 2, 0), heading=np.arange(2 * N) * 3)
    data = readers.read(tmp_path / "a.npz", u="heading")
    assert not data.u_labels
    assert "use --circular" in data.meta["notes"]


def test_a_cell_of_texts_called_label_is_u(tmp_path):
    cell = np.array([["left", "right", "none"][i % 3] for i in range(N)], dtype=object)[None]
    savemat(tmp_path / "a.mat", {"rates": X, "label": cell})
    assert readers.read(tmp_path / "a.mat").u_labels == ("left", "none", "right")


def test_names_of_identifiers_and_trials_of_sessions(tmp_path):
    names = {"SubjectID": 7 + RNG.integers(0, 3, N), "session": np.arange(N) // 30, "trialNum": np.arange(N) // 10 % 3}
    data = readers.read(table(tmp_path / "a.csv", {**names, "bin": np.arange(N) % 10}))
    assert data.x_names == ("a", "b")
    np.testing.assert_array_equal(data.trial, np.arange(N) // 10)  # trial 0 of session 1 is another trial
    phase = readers.read(tmp_path / "a.csv", u="phase").u[:, 0]
    np.testing.assert_allclose(phase, (np.arange(N) % 10 + 0.5) / 10, rtol=1e-6)


def test_two_levels_of_names_and_scores_of_a_tracker(tmp_path):
    columns = pd.MultiIndex.from_product([["m1", "m2"], ["x", "y", "score"]])
    pd.DataFrame(np.c_[X, X], columns=columns).to_csv(tmp_path / "a.csv")
    data = readers.read(tmp_path / "a.csv")
    assert data.x_names == ("m1 x", "m1 y", "m2 x", "m2 y")
    assert "m1 score (confidence)" in data.meta["notes"]


@pytest.mark.parametrize("mark", ["%", "//"])
def test_comments_of_other_languages_name_nothing(tmp_path, mark):
    np.savetxt(tmp_path / "a.txt", X, header="two words and", comments=f"{mark} ")
    data = readers.read(tmp_path / "a.txt")
    assert (data.n, data.x_names) == (N, ("x1", "x2", "x3"))


def test_a_table_with_units_as_rows_is_a_question_in_spite_of_their_names(tmp_path):
    wide = pd.DataFrame(X.T, index=["n1", "n2", "n3"])
    wide.columns = [f"{t:.3f}" for t in T]
    wide.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(readers.Undecided, match="nothing says whether rows or columns"):
        readers.read(tmp_path / "a.parquet")


def test_repeated_genes_and_kinds_of_features(tmp_path):
    counts = RNG.poisson(0.5, (20, 4))
    csr = sparse.csr_matrix(counts)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in (("data", csr.data), ("indices", csr.indices), ("indptr", csr.indptr), ("shape", [4, 20])):
            file[f"matrix/{name}"] = values
        file["matrix/barcodes"] = [f"c{i}" for i in range(20)]
        file["matrix/features/name"] = ["g", "g", "h", "CD3"]
        file["matrix/features/feature_type"] = [*["Gene Expression"] * 3, "Antibody Capture"]
    data = readers.read(tmp_path / "a.h5")
    assert data.x_names == ("g", "g.1", "h", "CD3")
    assert "3 of Gene Expression, 1 of Antibody Capture" in data.meta["notes"]


def test_the_planes_of_a_stack_are_not_true_factors(tmp_path):
    pages = RNG.integers(0, 200, (5, 3, 8, 9), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pages, imagej=True, metadata={"axes": "TZYX"})
    assert readers.read(tmp_path / "a.tif").z is None


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["unit", "neuron_id", "cellNr"])
def test_a_line_for_each_event_of_a_unit_is_not_data(tmp_path, name, suffix):
    frame = pd.DataFrame({"time": np.sort(RNG.uniform(0, 9, N)), name: RNG.integers(0, 5, N), "value": X[:, 0]})
    path = tmp_path / f"a.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    with pytest.raises(DataError, match=f"a line for each event or value of a unit, and {name} says of which"):
        readers.read(path)
    assert readers.read(path, x="value").d_x == 1


def test_few_whole_numbers_beside_fractions_may_be_labels(tmp_path):
    data = readers.read(table(tmp_path / "a.csv", {"group": np.arange(N) // 30}))
    assert data.x_names == ("a", "b", "group")
    assert "group: few whole numbers beside fractions" in data.meta["notes"]


# --- trials, flags, fill values and lists of intervals ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["trials", "trial_id", "trialNum"])
@pytest.mark.parametrize("container", ["npz", "mat"])
def test_an_array_that_numbers_the_trials_of_the_rows(tmp_path, name, container):
    trial = np.repeat(np.arange(6.0), 10)
    arrays = {"x": X, name: trial}
    path = tmp_path / f"a.{container}"
    np.savez(path, **arrays) if container == "npz" else savemat(path, {**arrays, name: trial[:, None]})
    dataset = readers.read(path, x="x")
    np.testing.assert_array_equal(dataset.trial, trial)
    assert f"the trial of each row is {name}" in dataset.meta["notes"]
    np.testing.assert_array_equal(readers.read(path, x="x", rows=20).trial, readers.read(path, x="x").trial[:20])


def test_an_array_of_that_name_with_an_entry_per_something_else_numbers_nothing(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, trial_id=np.arange(7))
    assert readers.read(tmp_path / "a.npz").trial is None


def test_flags_are_not_numbers_unless_there_is_nothing_else(tmp_path):
    frame = pd.DataFrame({"a": X[:, 0], "lick": X[:, 1] > 0, "stim": X[:, 2] > 0})
    frame.to_parquet(tmp_path / "a.parquet")
    assert readers.read(tmp_path / "a.parquet").x_names == ("a",)
    assert readers.read(tmp_path / "a.parquet", u="lick").u_labels == ("False", "True")
    frame[["lick", "stim"]].to_parquet(tmp_path / "b.parquet")
    assert readers.read(tmp_path / "b.parquet").x_names == ("lick", "stim")


@pytest.mark.parametrize(("value", "noted"), [(-999, True), (9999, True), (-2, False)])
def test_a_number_that_may_stand_for_a_missing_value_is_pointed_out(tmp_path, value, noted):
    a = X[:, 0].copy()
    a[5:8] = value
    pd.DataFrame({"a": a, "b": X[:, 1]}).to_csv(tmp_path / "a.csv", index=False)
    assert (f"a is {value} in 3 of 60 rows" in readers.read(tmp_path / "a.csv").meta["notes"]) is noted


def test_whole_hundreds_among_others_are_not_fill_values(tmp_path):
    a = np.repeat([500.0, 999.0, 700.0], 20)
    pd.DataFrame({"a": a, "b": X[:, 1]}).to_csv(tmp_path / "a.csv", index=False)
    assert "missing value" not in readers.read(tmp_path / "a.csv").meta["notes"]


def test_a_list_of_intervals_is_not_a_recording(tmp_path):
    path = text(tmp_path / "a.csv", "onset,duration,trial_type", ("0", "2"), ("1", "1"), ("go", "stop"))
    with pytest.raises(DataError, match="lists intervals and holds no recording"):
        readers.read(path)
