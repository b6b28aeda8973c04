"""Good files for every reader, which `tests.harness.fuzz` then damages. They are the same in every run."""

import gzip
import io
import zipfile

import h5py
import matio
import numpy as np
import pandas as pd
import tifffile
from PIL import Image
from scipy.io import savemat

from tests.unit import test_grid_readers as made_grids
from tests.unit import test_hdf5


def good_files(folder):
    """Return good files by reader: {reader: [{name: bytes}]}; several names make a folder."""
    rng = np.random.default_rng(0)  # one stream for all files: the order of the calls decides what they hold
    x, u = rng.standard_normal((40, 3)).astype(np.float32), np.arange(40) % 4
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "u": u, "who": ["p", "q"] * 20})
    grey = rng.integers(0, 256, (12, 10), dtype=np.uint8)
    frames = [Image.fromarray(np.roll(grey, i)) for i in range(5)]
    return {
        **arrays_and_tables(x, u, table),
        **matlab(folder, x),
        **hdf5(folder, x, u),
        **idx(rng),
        **pictures(grey, frames),
        **tracking(),
        **suite2p(x),
        **kilosort(),
        **tiff(rng, frames),
        **matlab_objects(folder, x, table),
        **smallnorb_and_cars3d(folder),
    }


def made(write):
    """Return what `write` writes into a file."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(members):
    """Return a zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def arrays_and_tables(x, u, table):
    """Return the formats that hold plain arrays or columns."""
    arff = b"@relation r\n@attribute a real\n@attribute 'b c' integer\n@attribute u {p,q}\n@data\n"
    return {
        "npz": [{"a.npz": made(lambda f: np.savez(f, x=x, u=u, s=x[:, :2]))}],
        "npy": [{"a.npy": made(lambda f: np.save(f, x))}],
        "csv": [{"a.csv": table.to_csv(index=False).encode()}, {"a.tsv": table.to_csv(index=False, sep="\t").encode()}],
        "arff": [{"a.arff": arff + b"1.5,2,p\n2.5,3,q\n" * 9}],
        "parquet": [{"a.parquet": made(lambda f: table.to_parquet(f))}],
    }


def spike_cells():
    """Return a cell array of MATLAB: the spikes of two units, and a struct."""
    cell = np.empty((1, 3), dtype=object)
    cell[0, 0], cell[0, 1], cell[0, 2] = np.arange(5.0), np.arange(9.0), {"time": np.arange(4.0)}
    return cell


def matlab(folder, x):
    """Return structs and cells in MATLAB's format 5, plain and compressed, and a file of format 7.3."""
    nested = {"x": x, "t": np.arange(40.0), "beh": {"run": x[:, 0], "name": "mouse"}, "spikes": spike_cells()}
    test_hdf5.matlab73(folder / "a.mat")
    return {
        "mat": [{"a.mat": made(lambda f, c=c: savemat(f, nested, do_compression=c))} for c in (False, True)],
        "mat 7.3": [{"a.mat": (folder / "a.mat").read_bytes()}],
    }


def hdf5(folder, x, u):
    """Return an HDF5 file with chunks, text and a link, and an NWB file with spikes and a position."""
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("g/x", data=x, chunks=(10, 3), compression="gzip", shuffle=True)
        file["u"], file["who"] = u, ["p", "q"] * 20
        file["soft"] = h5py.SoftLink("/g/x")
    with h5py.File(folder / "a.nwb", "w") as file:
        file["units/spike_times"], file["units/spike_times_index"] = np.arange(20.0), np.array([9, 20])
        clock = np.arange(0, 20, 0.1)
        test_hdf5.series(file, "processing/b/p", "SpatialSeries", clock[:, None], timestamps=clock, unit="m")
    return {
        "hdf5": [{"a.h5": (folder / "a.h5").read_bytes()}],
        "nwb": [{"a.nwb": (folder / "a.nwb").read_bytes()}],
    }


def idx(rng):
    """Return pictures as MNIST has them, with and without gzip."""
    content = b"\0\0\x08\x03" + np.array([9, 4, 4], ">u4").tobytes() + rng.integers(0, 256, 144, np.uint8).tobytes()
    return {"idx": [{"a-images-idx3-ubyte.gz": gzip.compress(content)}, {"a-images-idx3-ubyte": content}]}


def pictures(grey, frames):
    """Return pictures in a zip, in folders by label, as the frames of a GIF, and as CelebA has them."""
    formats = {"png": "PNG", "jpg": "JPEG", "bmp": "BMP", "gif": "GIF", "tif": "TIFF"}
    files = {
        f"{kind}/{i}.{kind}": made(lambda f, name=name: Image.fromarray(grey).save(f, name))
        for kind, name in formats.items()
        for i in range(2)
    }
    faces = {
        f"img_align_celeba/{i:06d}.jpg": made(lambda f: Image.fromarray(grey).save(f, "JPEG")) for i in range(1, 4)
    }
    listed = "3\nBald Bangs\n" + "".join(f"{i:06d}.jpg {(-1) ** i} 1\n" for i in range(1, 4))
    return {
        "image zip": [{"a.zip": zipped(files)}],
        "image folder": [files],
        "gif": [{"a.gif": made(lambda f: frames[0].save(f, "GIF", save_all=True, append_images=frames[1:]))}],
        "celeba": [{"img_align_celeba.zip": zipped(faces), "list_attr_celeba.txt": listed.encode()}],
    }


def tracking():
    """Return a tracker's positions, with the spikes beside them."""
    head = b"<Start settings>\nclockrate: 30000\nFields: <time uint32><xloc uint16><yloc uint16>\n<End settings>\n"
    rows = np.zeros(90, np.dtype([("t", "<u4"), ("x", "<u2"), ("y", "<u2")]))
    rows["t"], rows["x"], rows["y"] = np.arange(90) * 500, np.arange(90), 7
    spikes = made(lambda f: savemat(f, {"spikes": spike_cells()}))
    return {"tracking": [{"a.mat": spikes, "b.videoPositionTracking": head + rows.tobytes()}]}


def suite2p(x):
    """Return folders of Suite2p: one plane, and two."""
    activity, is_cell = made(lambda f: np.save(f, x.T)), made(lambda f: np.save(f, np.ones((3, 2))))
    plane = {"F.npy": activity, "iscell.npy": is_cell}
    return {
        "suite2p": [{"F.npy": activity, "spks.npy": activity, "iscell.npy": is_cell}],
        "planes": [{f"suite2p/plane{k}/{name}": content for k in range(2) for name, content in plane.items()}],
    }


def kilosort():
    """Return a folder of Kilosort and Phy."""
    return {"kilosort": [{
        "spike_times.npy": made(lambda f: np.save(f, np.arange(0, 900, 3, dtype=np.uint64)[:, None])),
        "spike_clusters.npy": made(lambda f: np.save(f, (np.arange(300) % 4).astype(np.int32))),
        "params.py": b"dat_path = 'raw.dat'\nsample_rate = 300.\n",
        "cluster_group.tsv": b"cluster_id\tgroup\n0\tgood\n1\tnoise\n2\tgood\n",
    }]}  # fmt: skip


def tiff(rng, frames):
    """Return stacks of TIFF by ImageJ, in OME's format, and compressed in two ways."""
    pages = rng.integers(0, 4096, (6, 8, 9)).astype(np.uint16)
    stacks = [
        made(lambda f: tifffile.imwrite(f, pages, imagej=True, metadata={"axes": "TYX", "finterval": 0.1})),
        made(lambda f: tifffile.imwrite(f, pages, ome=True, metadata={"axes": "TYX"})),
        made(lambda f: tifffile.imwrite(f, pages, compression="zlib", photometric="minisblack")),
        made(lambda f: frames[0].save(f, "TIFF", save_all=True, append_images=frames[1:], compression="tiff_lzw")),
    ]
    return {"tiff": [{"a.tif": content} for content in stacks]}


def matlab_objects(folder, x, table):
    """Return a table and a string, MATLAB's objects, in both formats."""
    found = []
    for version in ("v7", "v7.3"):
        path = folder / f"objects {version}.mat"
        matio.save_to_mat(path, {"beh": table, "x": x, "who": np.array(["p", "q"], "T")[None]}, version=version)
        found.append({"a.mat": path.read_bytes()})
    return {"mat objects": found}


def smallnorb_and_cars3d(folder):
    """Return both grids of pictures, as published and packed."""
    cars = {f"cars/{name}": content for name, content in made_grids.cars(16)[0].items()}
    made_grids.norb(folder / "norb")
    norb = {file.name: file.read_bytes() for file in sorted((folder / "norb").iterdir())}
    for kind in ("tar", "tar.gz"):
        made_grids.tarred(folder / f"a.{kind}", cars)
    return {
        "smallnorb": [norb, {f"{name}.gz": gzip.compress(content) for name, content in norb.items()}],
        "cars3d": [cars, {"a.tar": (folder / "a.tar").read_bytes()},
                   {"a.tar.gz": (folder / "a.tar.gz").read_bytes()}],
    }  # fmt: skip
