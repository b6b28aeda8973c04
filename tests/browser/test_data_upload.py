"""The Data page opens what the command line opens: several files dropped together, one zip, u in another file."""

import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
from scipy.io import savemat

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Path, Path]:
    """A recording on one clock and its behaviour in a table on another: 20 Hz and 10 Hz."""
    folder, rng = tmp_path_factory.mktemp("pair"), np.random.default_rng(0)
    slow = np.cumsum(rng.standard_normal((1200, 1)), axis=0)
    x = slow / slow.std() @ rng.standard_normal((1, 6)) + 0.3 * rng.standard_normal((1200, 6))
    savemat(folder / "session.mat", {"x": x, "t": np.arange(1200)[:, None] / 20})
    seconds = np.arange(600) / 10
    table = np.column_stack([seconds, np.sin(seconds)])
    np.savetxt(folder / "behaviour.csv", table, delimiter=",", header="t,speed", comments="", fmt="%.3f")
    return folder / "session.mat", folder / "behaviour.csv"


def drop(visitor, url: str, *files: Path):
    page = visitor.page
    page.set_viewport_size({"width": 1280, "height": 1500})
    visitor.open(f"{url}/data?source=file&from_where=drop", "Data")
    page.locator("input[type=file]").set_input_files([str(f) for f in files])
    return page


def choose_parts(page, visitor) -> None:
    page.get_by_text("File of x", exact=True).wait_for()
    visitor.settle()
    group = page.get_by_test_id("stButtonGroup")
    group.filter(has_text="File of x").get_by_text("session.mat").click()
    page.get_by_text("File of u, if u is in another one").wait_for()
    visitor.settle()
    group.filter(has_text="File of u").get_by_text("behaviour.csv").click()
    group.filter(has_text="u: the auxiliary variable").get_by_text("speed", exact=True).click()
    page.get_by_test_id("stMetric").filter(has_text="speed").wait_for()
    visitor.settle()


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [False, True], ids=["several-files", "one-zip"])
def test_files_that_belong_together_open_as_one_recording(server, visitor, pair, tmp_path, zipped):
    files = list(pair)
    if zipped:
        files = [tmp_path / "session.zip"]
        with zipfile.ZipFile(files[0], "w") as archive:
            for file in pair:
                archive.write(file, f"session/{file.name}")
    page = drop(visitor, server, *files)
    choose_parts(page, visitor)
    shown = visitor.metrics()
    assert (shown["Dimensions of x"], shown["u"]) == ("6", "speed")
    link = parse_qs(urlsplit(page.url).query)["data"][0]
    assert "u_from=uploads" in link  # a place and a name, never a path of this machine
    page.get_by_test_id("stButtonGroup").get_by_text("Over time").click()
    page.get_by_text("in neither part").first.wait_for()
    visitor.drawn()
    visitor.shot(f"data-upload-{'zip' if zipped else 'files'}")
    visitor.open(
        f"{server}/data?{urlencode({'data': link, 'source': 'file'})}", "Data"
    )  # the link alone brings it back
    page.get_by_test_id("stMetric").filter(has_text="speed").wait_for()
    assert visitor.metrics() == shown


def large(store: Path) -> None:
    """Put a recording above the size from which the page shows its first rows only among the uploads of a store."""
    path, rng = store / "data" / "uploads" / "big.npy", np.random.default_rng(0)
    path.parent.mkdir(parents=True)
    x = np.lib.format.open_memmap(path, "w+", np.float32, (10_000, 5_200))
    x[:] = rng.standard_normal(5_200)
    x[:, :40] += np.cumsum(rng.standard_normal((10_000, 40)), axis=0)
    x.flush()


@pytest.mark.slow
def test_examining_a_large_file_can_be_stopped_and_done_again_and_train_waits_for_it(new_server, visitor):
    server = new_server(large)  # its worker has to load torch first, so the work is not over before the click on Stop
    page, link = visitor.page, "file,path=uploads/big.npy"
    examine, stop = (page.get_by_role("button", name=name) for name in ("Examine all rows", "Stop"))
    visitor.open(f"{server}/data?{urlencode({'data': link, 'source': 'file'})}", "Data")
    examine.wait_for(timeout=60_000)
    page.get_by_test_id("stMetric").filter(has_text="first 500").wait_for()
    visitor.settle()
    examine.click()
    stop.click()
    examine.wait_for(timeout=120_000)
    assert page.get_by_text("ended without a result").count() == 0
    visitor.open(f"{server}/train?{urlencode({'data': link})}", "Train a population")
    examine.wait_for(timeout=60_000)
    assert page.get_by_role("button", name="Start training").count() == 0
    visitor.settle()
    examine.click()
    page.get_by_role("button", name="Start training").wait_for(timeout=180_000)
    page.get_by_text("in neither part").first.wait_for()
    visitor.settle()
    visitor.shot("train-large")


@pytest.mark.slow
def test_a_hostile_zip_is_one_sentence(server, visitor, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../evil.npz", b"1")
    page = drop(visitor, server, tmp_path / "evil.zip")
    page.get_by_text("which is not safe; zip one folder of files.").wait_for()
    assert not list(tmp_path.parent.rglob("evil.npz"))


@pytest.mark.slow
def test_a_clock_is_offered_and_left_out_of_x(server, visitor, tmp_path):
    rng = np.random.default_rng(0)
    table = np.column_stack([np.arange(300) / 10, rng.standard_normal((300, 2))])
    path = tmp_path / "odours.csv"
    np.savetxt(path, table, delimiter=",", header="time (s),a,b", comments="", fmt="%.3f")
    page = drop(visitor, server, path)
    page.get_by_text("time (s) is the clock of the rows, in seconds").wait_for()
    assert visitor.metrics()["Dimensions of x"] == "2"
    page.get_by_text("About this data").click()
    page.get_by_text("rate: 10 Hz").wait_for()
