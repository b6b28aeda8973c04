"""Formats that laboratories keep recordings in, as their programs write them: small files made here."""

import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from scipy import sparse

from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from dvae_core.data.readers import matlab_objects

RNG = np.random.default_rng(0)


# --- Kilosort and Phy -------------------------------------------------------------------------------------------------


def sorted_spikes(folder, *, groups=True, params="sample_rate = 30000."):
    """Write what Kilosort and Phy leave behind; return the spike times in seconds by cluster."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.array([0, 3, 4, 7])
    times = {int(i): np.sort(RNG.integers(0, 30_000 * 20, 100 + 20 * int(i))) for i in ids}
    samples = np.concatenate(list(times.values()))
    clusters = np.repeat(ids, [len(t) for t in times.values()])
    order = np.argsort(samples, kind="stable")
    np.save(folder / "spike_times.npy", samples[order][:, None].astype(np.uint64))
    np.save(folder / "spike_clusters.npy", clusters[order].astype(np.int32))
    (folder / "params.py").write_text(f"dat_path = 'raw.dat'\nn_channels_dat = 385\n{params}\nhp_filtered = False\n")
    if groups:
        (folder / "cluster_KSLabel.tsv").write_text("cluster_id\tKSLabel\n0\tgood\n3\tgood\n4\tmua\n7\tgood\n")
        (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n3\tnoise\n7\tunsorted\n")
        (folder / "cluster_info.tsv").write_text(
            "cluster_id\tch\tdepth\tfr\tgroup\tarea\n0\t5\t100.0\t5\t\tCA1\n3\t9\t180.0\t5\tnoise\tCA1\n"
            "4\t20\t900.0\t6\t\tVISp\n7\t30\t1200.0\t6\tunsorted\tVISp\n"
        )
    return {i: t / 30_000 for i, t in times.items()}


def test_good_units_of_phy_are_counted_in_bins(tmp_path):
    times = sorted_spikes(tmp_path / "ks")
    data = readers.read(tmp_path / "ks", bin_s=0.5)
    assert data.x_names == ("0", "7")  # 3 was called noise by hand, 4 is mua by Kilosort
    for column, unit in enumerate((0, 7)):
        expected = np.bincount((times[unit] / 0.5).astype(int), minlength=data.n)
        np.testing.assert_array_equal(data.x[:, column], expected)
    assert "2 of 4 units left out, of quality mua, noise" in data.meta["notes"]
    assert data.reading["units"]["7"]["area"] == "VISp"  # kept for tables of units
    assert isinstance(data.reading["units"]["7"]["depth"], float)
    listed = {v.name: v for v in readers.inspect(tmp_path / "ks")}
    assert set(listed) == {"spikes", "quality", "area", "depth"}
    assert listed["quality"].note == "2 good, 1 mua, 1 noise"


@pytest.mark.parametrize(
    ("asked", "units"),
    [
        ({"quality": "all"}, ("0", "3", "4", "7")),
        ({"quality": ["good", "mua"]}, ("0", "4", "7")),
        ({"quality": "all", "area": "VISp"}, ("4", "7")),
        ({"quality": "all", "depth_from": 150.0, "depth_to": 1000.0}, ("3", "4")),
        ({"quality": "all", "min_rate_hz": 8.5}, ("4", "7")),  # of 20 s: 5, 8, 9 and 12 spikes a second
        ({"quality": "all", "units": ["7", "#2"]}, ("3", "7")),
        ({"quality": "all", "units": "#2-3"}, ("3", "4")),
    ],
)
def test_units_are_chosen_by_quality_area_depth_rate_and_name(tmp_path, asked, units):
    sorted_spikes(tmp_path / "ks")
    data = readers.read(tmp_path / "ks", bin_s=0.5, **asked)
    assert data.x_names == units
    left = sum(entry["rows"] for entry in data.reading["left_out"] if entry["what"] == "units")
    assert left == 4 - len(units)


def test_without_cluster_tables_every_unit_is_used_and_that_is_noted(tmp_path):
    sorted_spikes(tmp_path / "ks" / "sorter_output", groups=False)
    data = readers.read(tmp_path / "ks")
    assert data.d_x == 4
    assert "no cluster table states a quality" in data.meta["notes"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: (f / "params.py").unlink(), "has no params.py"),
        (lambda f: (f / "params.py").write_text("sample_rate = open('x').read()\n"), "states no sample_rate"),
        (lambda f: np.save(f / "spike_clusters.npy", np.zeros(3, np.int32)), "spike_clusters.npy has 3"),
        (lambda f: np.save(f / "spike_clusters.npy", np.array([{}], object), allow_pickle=True), "plain numbers"),
        (lambda f: np.save(f / "spike_times.npy", RNG.uniform(0, 9, (680, 1))), "whole numbers"),
        (lambda f: (f / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tmua\n3\tmua\n7\tmua\n"), "no unit"),
    ],
)
def test_folders_of_phy_that_cannot_be_read(tmp_path, change, sentence):
    sorted_spikes(tmp_path / "ks")
    change(tmp_path / "ks")
    with pytest.raises(DataError, match=sentence):
        readers.read(tmp_path / "ks")


def test_params_are_read_as_text_and_never_run(tmp_path):
    mark = tmp_path / "mark"
    sorted_spikes(tmp_path / "ks", params=f"sample_rate = 30000\nopen({str(mark)!r}, 'w').write('ran')")
    assert readers.read(tmp_path / "ks").n > 0
    assert not mark.exists()


# --- Suite2p ----------------------------------------------------------------------------------------------------------


def planes(folder, shapes):
    """Write planes of (regions, frames); every third region is no cell. Return the traces of all cells."""
    cells = []
    for k, (regions, frames) in enumerate(shapes):
        place = folder / "suite2p" / f"plane{k}"
        place.mkdir(parents=True)
        traces = RNG.standard_normal((regions, frames)).astype(np.float32)
        is_cell = np.arange(regions) % 3 != 2
        np.save(place / "spks.npy", traces)
        np.save(place / "F.npy", traces * 2)
        np.save(place / "iscell.npy", np.column_stack([is_cell, RNG.random(regions)]))
        np.save(place / "ops.npy", np.array({"fs": 30}, object), allow_pickle=True)
        cells.append(traces[is_cell])
    return cells


def test_all_planes_of_suite2p_side_by_side(tmp_path):
    cells = planes(tmp_path, [(9, 60), (6, 60), (3, 59)])
    data = readers.read(tmp_path)
    np.testing.assert_array_equal(data.x, np.concatenate([c[:, :59] for c in cells]).T)
    assert data.x_names[:3] == ("plane0/0", "plane0/1", "plane0/3")
    assert "12 of 18 regions of 3 planes" in data.meta["cells"]
    assert "planes cut to the 59 frames that all have" in data.meta["notes"]
    one = readers.read(tmp_path, area="plane1")
    np.testing.assert_array_equal(one.x, cells[1][:, :59].T)
    assert readers.read(tmp_path, x="F of all").d_x == 18
    np.testing.assert_array_equal(readers.read(tmp_path / "suite2p" / "plane1").x, cells[1].T)


# --- objects of MATLAB ------------------------------------------------------------------------------------------------


def with_objects(path, **content):
    matio = pytest.importorskip("matio", reason="mat-io has no wheel here")
    matio.save_to_mat(path, content, version="v7.3" if "73" in path.name else "v7")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mat", "a73.mat"])
def test_a_lone_table_of_matlab_is_a_table(tmp_path, name):
    frame = pd.DataFrame({"speed": RNG.standard_normal(30), "rate": RNG.random(30), "label": ["L", "R", "R"] * 10})
    with_objects(tmp_path / name, session=frame)
    data = readers.read(tmp_path / name)
    np.testing.assert_allclose(data.x, frame[["speed", "rate"]], rtol=1e-6)
    assert (data.x_names, data.u_labels) == (("speed", "rate"), ("L", "R"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mat", "a73.mat"])
def test_columns_of_a_table_beside_an_array_have_its_name(tmp_path, name):
    x, frame = RNG.standard_normal((30, 4)), pd.DataFrame({"speed": RNG.random(30), "who": ["p", "q", "q"] * 10})
    with_objects(tmp_path / name, x=x, beh=frame)
    data = readers.read(tmp_path / name, u="beh.who")
    np.testing.assert_allclose(data.x, x, rtol=1e-6)
    assert data.u_labels == ("p", "q")
    np.testing.assert_allclose(readers.read(tmp_path / name, u="beh.speed").u[:, 0], frame["speed"], rtol=1e-6)
    with pytest.raises(DataError, match=r"beh of a.*is a MATLAB table, not plain numbers; choose beh\.speed"):
        readers.read(tmp_path / name, u="beh")


@pytest.mark.slow
def test_dates_and_durations_are_seconds(tmp_path):
    days = np.array(["2025-04-01T12:00:00", "2025-04-01T12:00:01.5"] * 2, "datetime64[ns]")[:, None]
    with_objects(tmp_path / "a.mat", x=RNG.random((4, 2)), at=days, took=np.arange(4)[:, None].astype("timedelta64[s]"))
    listed = {v.name: v for v in readers.inspect(tmp_path / "a.mat")}
    assert (listed["at"].unit, listed["at"].role) == ("s", "clock")
    np.testing.assert_allclose(readers.read(tmp_path / "a.mat", u="took").u.ravel(), np.arange(4))


def test_objects_stay_listed_with_the_cure_where_they_cannot_be_converted(tmp_path, monkeypatch):
    with_objects(tmp_path / "a.mat", x=RNG.random((4, 2)), beh=pd.DataFrame({"speed": RNG.random(4)}))
    monkeypatch.setattr(matlab_objects.matlab_objects_child, "__file__", "/dev/null")  # the process does nothing
    listed = {v.name: v for v in readers.inspect(tmp_path / "a.mat")}
    assert "save its columns with table2array(beh)" in listed["beh"].reason


@pytest.mark.skipif(sys.platform != "linux", reason="counts what is opened")
def test_objects_in_an_hdf5_with_links_to_other_files_are_not_converted(tmp_path):
    with_objects(tmp_path / "a73.mat", beh=pd.DataFrame({"speed": RNG.random(4)}))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.arange(4.0)
    with h5py.File(tmp_path / "a73.mat", "a") as file:
        file["#refs#"]["stolen"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/secret")
    assert matlab_objects.converted(tmp_path / "a73.mat", [_table("beh")], 2**20) == []


def _table(name):
    from dvae_core.data.readers.model import unreadable

    return unreadable(name, "is a table", (1, 1), "table")


# --- TIFF -------------------------------------------------------------------------------------------------------------

PAGES = RNG.integers(0, 4096, (6, 20, 24)).astype(np.uint16)


def test_a_stack_of_16_bits_keeps_its_levels(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PAGES, photometric="minisblack")
    data = readers.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(data.x, PAGES.reshape(6, -1))
    assert data.x_shape == (20, 24)
    assert data.x_float().max() == pytest.approx(1)
    assert "all divided by" in data.meta["levels"]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "tiff_deflate"])
def test_compressed_pages_are_the_same(tmp_path, compression):
    small = (PAGES // 16).astype(np.uint8)
    pages = [Image.fromarray(page) for page in small]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression=compression)
    np.testing.assert_array_equal(readers.read(tmp_path / "a.tif").x, small.reshape(6, -1))


def test_axes_and_rate_come_from_the_metadata_of_imagej_and_ome(tmp_path):
    tifffile.imwrite(tmp_path / "t.tif", PAGES, imagej=True, metadata={"axes": "TYX", "finterval": 0.1})
    assert readers.read(tmp_path / "t.tif").rate_hz == 10
    tifffile.imwrite(tmp_path / "t.ome.tif", PAGES, metadata={"axes": "TYX", "TimeIncrement": 50.0,
                                                              "TimeIncrementUnit": "ms"})  # fmt: skip
    assert readers.read(tmp_path / "t.ome.tif").rate_hz == 20
    tifffile.imwrite(tmp_path / "tz.tif", PAGES.reshape(3, 2, 20, 24), imagej=True, metadata={"axes": "TZYX"})
    data = readers.read(tmp_path / "tz.tif", u="plane")
    np.testing.assert_array_equal(data.x, PAGES.reshape(6, -1))
    assert data.u.tolist() == [0, 1, 0, 1, 0, 1]
    assert "rows are pages, in the order of time and plane" in data.meta["notes"]


@pytest.mark.parametrize("dtype", ["float32", "int16", "float64"])
def test_pages_of_other_numbers_become_floats_on_one_scale(tmp_path, dtype):
    values = (PAGES.astype(dtype) - (1000 if dtype == "int16" else 0)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    np.testing.assert_allclose(readers.read(tmp_path / "a.tif").x, values.reshape(6, -1))


OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYTZC" Type="uint16" SizeX="24" SizeY="20" SizeZ="1" '
    'SizeC="1" SizeT="8"><TiffData FirstT="0" IFD="0" PlaneCount="2"><UUID FileName="a.ome.tif">urn:uuid:1</UUID>'
    '</TiffData><TiffData FirstT="2" IFD="0" PlaneCount="6"><UUID FileName="other.ome.tif">urn:uuid:2</UUID>'
    "</TiffData></Pixels></Image></OME>"
)


def test_an_ome_tiff_does_not_open_the_files_it_names(tmp_path):
    tifffile.imwrite(tmp_path / "other.ome.tif", PAGES, metadata=None)
    tifffile.imwrite(tmp_path / "a.ome.tif", PAGES[:2], description=OME, metadata=None)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:  # the file is one of those that could
        assert file.series[0].shape[0] == 8
    data = readers.read(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(data.x, PAGES[:2].reshape(2, -1))
    assert "names other files (other.ome.tif), whose pages are not read" in data.meta["notes"]


# --- AnnData and DeepLabCut -------------------------------------------------------------------------------------------


def cells(path, *, dense):
    """Write an AnnData file: X of logarithms, a layer of counts, obs with categories, var with an index of any name."""
    counts = RNG.poisson(0.6, (40, 12))
    with h5py.File(path, "w") as file:

        def put(where, matrix, kind):
            group = file.create_group(where)
            group.attrs["encoding-type"], group.attrs["shape"] = kind, matrix.shape
            group["data"], group["indices"], group["indptr"] = matrix.data, matrix.indices, matrix.indptr

        if dense:
            file["X"] = np.log1p(counts).astype(np.float32)
        else:
            put("X", sparse.csr_matrix(np.log1p(counts)), "csr_matrix")
        put("layers/counts", sparse.csc_matrix(counts), "csc_matrix")
        file["obs/_index"], file["obs/n_genes"] = [f"c{i}" for i in range(40)], counts.sum(1)
        file["obs/cell_type/categories"], file["obs/cell_type/codes"] = ["B", "T"], (np.arange(40) % 2).astype(np.int8)
        file["var/gene_symbols"] = [f"g{i}" for i in range(12)]
        file["var"].attrs["_index"] = "gene_symbols"
        file["obsm/X_pca"] = RNG.standard_normal((40, 5))
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("dense", [True, False])
def test_matrices_of_anndata_have_genes_and_cells_have_labels(tmp_path, dense):
    counts = cells(tmp_path / "a.h5ad", dense=dense)
    data = readers.read(tmp_path / "a.h5ad", u="cell_type")
    np.testing.assert_allclose(data.x, np.log1p(counts), rtol=1e-6)
    assert (data.x_names[:2], data.u_labels) == (("g0", "g1"), ("B", "T"))
    layer = readers.read(tmp_path / "a.h5ad", x="layers/counts", u="cell_type")
    np.testing.assert_array_equal(layer.x, counts)
    assert layer.x_names == data.x_names
    assert readers.read(tmp_path / "a.h5ad", x="X_pca").d_x == 5


def test_positions_of_deeplabcut_without_their_likelihood(tmp_path):
    xy, sure = RNG.uniform(0, 100, (30, 4)), np.where(np.arange(30) % 10 == 0, 0.2, 0.99)
    lines = ["scorer" + ",net" * 6, "bodyparts,nose,nose,nose,tail,tail,tail", "coords,x,y,likelihood,x,y,likelihood"]
    lines += [f"{i},{a:.4f},{b:.4f},{p},{c:.4f},{d:.4f},1.0" for i, ((a, b, c, d), p) in
              enumerate(zip(xy, sure, strict=True))]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    data = readers.read(tmp_path / "a.csv")
    assert data.x_names == ("nose x", "nose y", "tail x", "tail y")
    np.testing.assert_allclose(data.x, xy, atol=1e-4)
    assert "nose: 3 of 30 positions have a likelihood below 0.6" in data.meta["notes"]
    assert readers.read(tmp_path / "a.csv", x="nose x", u="nose likelihood").u[0] == pytest.approx(0.2)
