"""Every folder of the shared data by the command line, with the shapes that its README states."""

import pytest

from dvae_core import cli
from tests.shared_data import SHARED, TABLE

LONG = (  # take half a second or more each
    "pixel-faces", "pynapple-nwb-suite2p/A8604-211122.nwb", "eeg-eye-state", "fashion-mnist-t10k", "mnist-t10k",
    "hippocampus-linear", "s1-reach", "dsprites-sample/dsprites_gif_frames.npz",
)  # fmt: skip
OPTIONS = {"x": "--x", "u": "--u", "bin_s": "--bin", "rows_are": "--rows-are"}

pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not beside this checkout")


def test_no_folder_is_forgotten():
    assert {f.name for f in SHARED.iterdir() if f.is_dir()} == {stated.where.split("/")[0] for stated in TABLE}


@pytest.mark.parametrize(
    "stated",
    [pytest.param(s, id=s.where, marks=pytest.mark.slow if s.where in LONG else ()) for s in TABLE],
)
def test_inspect_prints_the_stated_shapes(stated, capsys):
    arguments = [word for name, value in stated.how.items() for word in (OPTIONS[name], str(value))]
    assert cli.main(["inspect", str(SHARED / stated.where), *arguments]) == 0
    printed = capsys.readouterr().out
    assert f": {stated.x[0]:,} rows\n" in printed
    assert f"  x     {stated.x[1]:,} columns of " in printed
    assert ("pictures of " + " x ".join(map(str, stated.pictures or ())) in printed) == bool(stated.pictures)
    labels = stated.u is not None and len(stated.u) == 1
    message = "" if stated.u is None else " labels: " if labels else f"{stated.u[1]} numbers: "
    assert ("  u     " in printed) == bool(message)
    assert message in printed
    assert ("  z     " in printed) == bool(stated.z)
    assert stated.z is None or f"  z     {stated.z[1]} true factors: " in printed
    assert "  licence: " in printed
