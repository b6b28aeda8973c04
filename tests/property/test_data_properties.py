"""Invariants of data sets, splits and file formats."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dvae_core.data import readers
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.saved import load, save
from dvae_core.data.split import BLOCKS, MIN_ROWS, split

FLOATS = st.floats(-1e6, 1e6, width=32)
SHAPES = st.tuples(st.integers(2, 40), st.integers(1, 6))
TABLES = hnp.arrays(np.float32, SHAPES, elements=FLOATS).filter(lambda x: (np.ptp(x, axis=0) > 0).any())


@st.composite
def contents(draw):
    """Arguments of a Dataset; not the Dataset itself, whose run-time checks draw random numbers of their own."""
    x = draw(TABLES)
    n = len(x)
    u = draw(st.sampled_from(["none", "labels", "numbers"]))
    labels = np.arange(n) % draw(st.integers(1, n))
    return {
        "name": draw(st.text(max_size=8)),
        "x": x,
        "u": {"none": None, "labels": labels, "numbers": x[:, :1]}[u],
        "z": x if draw(st.booleans()) else None,
        "rate_hz": draw(st.sampled_from([None, 0.1, 1e3])),
        "meta": draw(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)),
    }


@given(content=contents())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_saved_data_set_comes_back_by_load_and_by_read(tmp_path, content):
    data = Dataset(**content)
    path = tmp_path / "data.npz"
    save(data, path)
    for back in (load(path), readers.read(path)):
        assert back.fingerprint == data.fingerprint
        assert back.rate_hz == data.rate_hz
    assert load(path).meta == data.meta
    assert load(path).name == data.name


@given(content=contents(), how=st.sampled_from(["auto", "random", "blocks"]), fraction=st.floats(0.05, 0.95))
def test_a_split_is_a_partition_with_every_label_on_both_sides(content, how, fraction):
    data = Dataset(**content)
    try:
        parts = split(data, how, fraction=fraction, seed=3)
    except DataError:
        # labels can make it impossible (one of a single row, or one that blocks keep together), and so can two rows
        assert data.has_labels or data.n < MIN_ROWS
        return
    assert len(parts.train) > 0
    assert len(parts.held_out) > 0
    np.testing.assert_array_equal(np.sort(np.concatenate([parts.train, parts.held_out])), np.arange(data.n))
    if data.has_labels:
        assert set(data.u[parts.train]) == set(data.u[parts.held_out]) == set(range(data.n_labels))
    if parts.how == "blocks":
        assert (np.diff(parts.held_out) > 1).sum() < BLOCKS  # few stretches, not scattered rows


@given(x=TABLES, row=st.integers(0, 39), column=st.integers(0, 5), bad=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_one_bad_value_anywhere_is_found_and_placed(x, row, column, bad):
    row, column = row % x.shape[0], column % x.shape[1]
    x = x.copy()
    x[row, column] = bad
    with pytest.raises(DataError, match=f"x has 1 missing.*row {row + 1} of column x{column + 1};"):
        Dataset(name="", x=x)
