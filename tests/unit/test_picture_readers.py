"""Pictures: folders, zips, GIF, CelebA in its three layouts, IDX, Suite2p, and the grids of known factors."""

import gzip
import io
import shutil
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image

from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from dvae_core.data.readers import grids, images
from tests.shared_data import shared

RNG = np.random.default_rng(0)


def encoded(array, kind="PNG", **how):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **how)
    return buffer.getvalue()


def picture(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def zipped(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# --- folders, zips, frames --------------------------------------------------------------------------------------------


def test_grey_and_coloured_frames_are_distinguished(tmp_path):
    grey = [Image.fromarray(picture(6, 6)) for _ in range(3)]
    red = [Image.merge("RGB", (frame, Image.new("L", (6, 6)), frame)).quantize(16) for frame in grey]
    for name, frames, shape in (("grey", grey, (6, 6)), ("red", red, (6, 6, 3))):
        frames = [frame.convert("P") for frame in frames]
        frames[0].save(tmp_path / f"{name}.gif", save_all=True, append_images=frames[1:])
        assert readers.read(tmp_path / f"{name}.gif").x_shape == shape


def test_a_folder_and_a_zip_of_it_are_the_same_pictures(tmp_path):
    folder = tmp_path / "set"
    arrays = {f"{kind}/{i}.png": picture(8, 6, 3) for kind in ("cat", "dog") for i in range(3)}
    for name, array in arrays.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(array))
    (folder / "notes.txt").write_text("not a picture")
    data = readers.read(folder)
    assert (data.x_shape, data.x.dtype, data.u_labels) == ((8, 6, 3), np.uint8, ("cat", "dog"))
    np.testing.assert_array_equal(data.x.reshape(6, 8, 6, 3), np.stack(list(arrays.values())))
    path = zipped(tmp_path / "set.zip", **{name: encoded(array) for name, array in arrays.items()}, readme=b"x")
    assert readers.read(path).fingerprint == data.fingerprint
    assert [v.name for v in readers.inspect(path)] == ["pictures", "folder"]
    assert readers.read(path, rows=4).n == 4


def test_large_pictures_are_cropped_to_their_middle_and_made_smaller(tmp_path):
    wide = np.zeros((200, 400, 3), np.uint8)
    wide[:, 100:300] = 255  # the middle
    small = np.zeros((50, 50), np.uint8)
    zipped(tmp_path / "a.zip", **{"a.png": encoded(wide), "b.jpg": encoded(small, "JPEG")})
    data = readers.read(tmp_path / "a.zip")
    assert data.x_shape == (64, 64, 3)
    assert (data.x[0] == 255).all()
    assert readers.read(tmp_path / "a.zip", x_shape=(32, 32)).x_shape == (32, 32)
    assert "400 x 200 RGB" in data.meta["pictures"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_kind_of_picture_becomes_eight_bits(tmp_path, mode):
    base = Image.fromarray(picture(8, 8))
    values = (np.arange(64, dtype=np.float32) * 900).reshape(8, 8)
    special = {"I;16": Image.fromarray(values.astype(np.uint16)), "F": Image.fromarray(values)}
    kept = special.get(mode) or base.convert(mode)
    kind = "TIFF" if mode in ("CMYK", "F") else "PNG"
    for i in range(2):
        kept.rotate(90 * i).save(tmp_path / f"{i}.{kind.lower()}")
    data = readers.read(tmp_path)
    assert data.n == 2
    assert data.x.max() > 100  # 16 bits and floats are scaled, not cut off


def test_frames_of_the_dsprites_gif_are_those_of_its_npz():
    frames = readers.read(shared("dsprites-sample/dsprites.gif"))
    arrays = readers.read(shared("dsprites-sample/dsprites_gif_frames.npz"))
    assert (frames.x_shape, frames.n) == ((64, 64), 320)
    np.testing.assert_array_equal(frames.x > 127, arrays.x > 0)


def test_pictures_that_cannot_be_read_are_counted_and_left_out(tmp_path):
    good = encoded(picture(8, 8, 3))
    path = zipped(
        tmp_path / "a.zip", **{"a.png": good, "b.png": good[:-30], "c.png": b"no", "d.png": encoded(picture(8, 8, 3))}
    )
    data = readers.read(path)
    assert data.n == 2
    assert data.meta["left out"].startswith("2 of 4 pictures cannot be read (first b.png: ")


# --- CelebA -----------------------------------------------------------------------------------------------------------


def test_three_layouts_of_celeba_are_equal(tmp_path):
    root = shared("celeba-format")
    jpegs = root / "celeba" / "img_align_celeba"
    kaggle = tmp_path / "archive"  # as Kaggle unpacks it: the folder twice
    shutil.copytree(jpegs, kaggle / "img_align_celeba" / "img_align_celeba")
    shutil.copy(root / "kaggle" / "list_attr_celeba.csv", kaggle)
    (tmp_path / "zip").mkdir()
    shutil.copy(root / "img_align_celeba.zip", tmp_path / "zip")
    shutil.copy(root / "celeba" / "list_attr_celeba.txt", tmp_path / "zip")
    names = {"u": ["Smiling", "Eyeglasses"], "z": "attributes"}
    one = readers.read(root / "celeba", **names)
    others = [readers.read(p, **names) for p in (kaggle, tmp_path / "zip", tmp_path / "zip" / "img_align_celeba.zip")]
    assert (one.n, one.x_shape, one.u.shape, one.z.shape) == (24, (64, 64, 3), (24, 2), (24, 6))
    assert {other.fingerprint for other in others} == {one.fingerprint}
    assert "Smiling" in one.z_names
    assert "Young" in one.meta["notes"]  # always the same here, so it is no factor
    # the pictures are those of the usual preprocessing, by another route
    with Image.open(jpegs / "000001.jpg") as first:
        expected = np.asarray(first.crop((15, 35, 163, 183)).resize((64, 64), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(one.x[0].reshape(64, 64, 3), expected)
    assert ("non-commercial" in others[0].meta["licence"], one.meta["licence"]) == (True, "CC0 1.0.")
    assert readers.read(root / "celeba", u="Smiling").u_labels == ("0", "1")
    for place in ("", "kaggle", "img_align_celeba.zip"):
        assert readers.read(root / place, **names).fingerprint == one.fingerprint


def test_lists_of_celeba_that_do_not_fit(tmp_path):
    zipped(tmp_path / "img_align_celeba.zip", **{"img_align_celeba/000001.jpg": encoded(picture(218, 178, 3), "JPEG")})
    table = tmp_path / "list_attr_celeba.txt"
    for text, message in {
        "1\nBald Bangs\n000001.jpg 1\n": "do not have a value for each attribute",
        "1\nBald Bangs\n000001.jpg 1 7\n": "are not -1 and 1",
        "1\nBald Bangs\n000001.jpg 1 x\n": "are not -1 and 1",
        "1\nBald Bangs\n000002.jpg 1 -1\n": "names none of the 1 pictures",
    }.items():
        table.write_text(text)
        with pytest.raises(DataError, match=message):
            readers.read(tmp_path / "img_align_celeba.zip")


# --- IDX and Suite2p --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist-t10k", "fashion-mnist-t10k"])
def test_mnist(name):
    data = readers.read(shared(name))
    assert (data.n, data.x_shape, data.x.dtype, data.u_labels) == (10_000, (28, 28), np.uint8, tuple("0123456789"))
    with gzip.open(shared(name) / "t10k-images-idx3-ubyte.gz") as file:
        expected = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    np.testing.assert_array_equal(data.x, expected)
    part = readers.read(shared(name), rows=100)
    rows = np.sort(np.random.default_rng(0).choice(10_000, 100, replace=False))
    np.testing.assert_array_equal(part.x, expected[rows])
    np.testing.assert_array_equal(np.array(part.u_labels)[part.u], data.u[rows].astype(str))


def test_a_gzip_of_any_name_is_known_by_its_first_bytes(tmp_path):
    (tmp_path / "upload-1a2b3c.gz").write_bytes(gzip.compress(idx((4, 3, 3), bytes(range(36)))))
    assert readers.read(tmp_path / "upload-1a2b3c.gz").x.shape == (4, 9)


def test_suite2p_keeps_cells_and_turns_frames_to_rows():
    folder = shared("pynapple-nwb-suite2p")
    arrays = {name: np.load(folder / f"{name}.npy") for name in ("spks", "F", "iscell")}
    data = readers.read(folder, rate_hz=30.0)
    cells = arrays["iscell"][:, 0] == 1
    assert (data.x.shape, data.rate_hz) == ((2000, 20), 30.0)
    np.testing.assert_array_equal(data.x, arrays["spks"][cells].T)
    assert data.meta["cells"] == "20 of 219 regions, by iscell.npy"
    every = readers.read(folder, x="F of all", rows=50)
    np.testing.assert_array_equal(every.x, arrays["F"].T[:50])


# --- grids ------------------------------------------------------------------------------------------------------------


def test_rows_of_a_grid():
    sizes = (6, 6, 2, 3, 3, 40, 40)
    rows = np.array([0, 1, 40, 1_036_799])
    found = grids.factors_at(rows, sizes)
    assert found.tolist() == [[0] * 7, [0] * 6 + [1], [0] * 5 + [1, 0], [5, 5, 1, 2, 2, 39, 39]]
    classes = readers.read(shared("pixel-faces/pixel_faces_64x64.npz"), z="latents_classes").z
    np.testing.assert_array_equal(grids.factors_at(np.arange(6144), (8, 6, 4, 4, 2, 4)), classes)


def test_pixel_faces_have_the_names_of_their_factors():
    data = readers.read(shared("pixel-faces/pixel_faces_64x64.npz"))
    assert data.z_names == ("skin_tone", "hair_color", "hair_style", "mouth", "glasses", "background")


@pytest.mark.parametrize("suffix", ["npz", "hdf5"])
def test_dsprites_layouts(tmp_path, suffix):
    n = 240
    pictures = RNG.integers(0, 2, (n, 64, 64), dtype=np.uint8)
    values = np.column_stack([np.ones(n), RNG.integers(1, 4, n), *RNG.uniform(size=(4, n))])
    path = tmp_path / f"dsprites_ndarray_co1sh3sc6or40x32y32_64x64.{suffix}"
    if suffix == "npz":
        classes = np.zeros((n, 6), np.int64)
        np.savez_compressed(path, imgs=pictures, latents_values=values, latents_classes=classes,
                            metadata=np.array({"a": 1}, dtype=object))  # fmt: skip
    else:
        with h5py.File(path, "w") as file:
            file["imgs"], file["latents/values"], file["latents/classes"] = pictures, values, np.zeros((n, 6), int)
    data = readers.read(path, rows=50)
    rows = np.sort(np.random.default_rng(0).choice(n, 50, replace=False))
    assert (data.x_shape, data.x.dtype, data.u) == ((64, 64), np.uint8, None)
    assert data.z_names == ("shape", "scale", "orientation", "posX", "posY")
    assert "color left out: always the same" in data.meta["notes"]
    np.testing.assert_array_equal(data.x, pictures.reshape(n, -1)[rows])
    np.testing.assert_array_equal(data.z, values[rows, 1:].astype(np.float32))
    assert data.meta["licence"].startswith("Apache-2.0")


def test_3dshapes_layout(tmp_path):
    labels = RNG.uniform(size=(30, 6))
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        file["images"], file["labels"] = picture(30, 64, 64, 3), labels
    data = readers.read(tmp_path / "3dshapes.h5")
    assert (data.u, data.z_names[0], data.x_shape) == (None, "floor_hue", (64, 64, 3))
    np.testing.assert_array_equal(data.z, labels.astype(np.float32))


def test_mpi3d_factors_come_from_the_row(tmp_path, monkeypatch):
    monkeypatch.setattr(grids, "_MPI3D_SIZES", {48: (2, 2, 2, 1, 1, 3, 2)})
    np.savez(tmp_path / "mpi3d_toy.npz", images=picture(48, 64, 64, 3))
    data = readers.read(tmp_path / "mpi3d_toy.npz", rows=20)
    rows = np.sort(np.random.default_rng(0).choice(48, 20, replace=False))
    assert data.z_names == ("object_color", "object_shape", "object_size", "horizontal_axis", "vertical_axis")
    np.testing.assert_array_equal(data.z, grids.factors_at(rows, (2, 2, 2, 3, 2)))


# --- hostile ----------------------------------------------------------------------------------------------------------


def png_claim(width, height):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def idx(shape, body=b"", magic=b"\0\0\x08\x03"):
    return magic + struct.pack(f">{len(shape)}I", *shape) + body


def many_members(path, count=200_000):
    """A zip whose list names very many members, all of them the same empty one."""
    name = b"%06d.txt"
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 10, 0) + b"000000.txt"
    entry = struct.Struct("<4s6H3I5H2I")
    head = entry.pack(b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0)
    listed = b"".join(head + name % i for i in range(count))
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count % 65536, count % 65536, len(listed), len(local), 0)
    path.write_bytes(local + listed + end)


def in_zip(content):
    return lambda path: zipped(path, **{"a.png": content, "b.png": content})


def linked(path):
    path.mkdir()
    (path.parent / "secret.png").write_bytes(encoded(picture(8, 8)))
    (path / "a.png").symlink_to(path.parent / "secret.png")
    (path / "up").symlink_to(path.parent)


def pickled_suite2p(path):
    path.mkdir()
    for name in ("F", "spks", "iscell"):
        np.save(path / f"{name}.npy", np.array([{}, {}], object), allow_pickle=True)


def uneven_suite2p(path):
    path.mkdir()
    for name, array in {"F": picture(4, 9), "spks": picture(5, 9), "iscell": np.ones((4, 2))}.items():
        np.save(path / f"{name}.npy", array)


def growing_gif(path):
    """A second frame that says it has 4,000 x 4,000 pixels."""
    frames = [Image.new("L", (6, 6), grey) for grey in (0, 255)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    body = bytearray(path.read_bytes())
    at = body.rindex(b"\x2c" + struct.pack("<4H", 0, 0, 6, 6))  # the frame's descriptor: left, top, width, height
    body[at + 5 : at + 9] = struct.pack("<2H", 4000, 4000)
    path.write_bytes(body)


def celeba_list(path, text):
    path.mkdir()
    zipped(path / "img_align_celeba.zip", **{"000001.jpg": encoded(picture(218, 178, 3), "JPEG")})
    (path / "list_attr_celeba.txt").write_text(text)


HOSTILE = {
    "decompression bomb": ("a.zip", in_zip(png_claim(60_000, 60_000)), {}, "pixels|decompression bomb"),
    "large picture": ("a.zip", in_zip(png_claim(5_000, 5_000)), {}, "25,000,000|5,000 x 5,000 pixels, more than"),
    "truncated picture": ("a.zip", in_zip(encoded(picture(90, 90, 3), "JPEG")[:700]), {}, "no picture that can be"),
    "no pictures": ("a.zip", lambda p: zipped(p, **{"a.doc": b"x"}), {}, "has no pictures"),
    "notes alone": ("a.zip", lambda p: zipped(p, **{"a.txt": b"x"}), {}, "a.txt has a header but no rows"),
    "many members": ("a.zip", many_members, {}, "has no pictures"),
    "many members of npz": ("a.npz", many_members, {}, "members; up to 10,000 arrays"),
    "html zip": ("a.zip", lambda p: p.write_bytes(b"<html>Quota exceeded</html>"), {}, "is a web page"),
    "npy as zip": ("a.zip", lambda p: p.write_bytes(b"\x93NUMPY"), {}, r"does not hold what \.zip files hold"),
    "truncated zip": ("a.zip", lambda p: p.write_bytes(b"PK\x03\x04" + bytes(40)), {}, "is damaged"),
    "traversal": ("a.zip", lambda p: zipped(p, **{"../../a.png": b"x", "/etc/b.png": b"x"}), {}, "can be read"),
    "links": ("set", linked, {}, "no data file|has no pictures"),
    "budget": ("a.zip", in_zip(encoded(picture(64, 64, 3))), {"budget_bytes": 20_000}, "would take"),
    "one picture": ("a.png", lambda p: p.write_bytes(encoded(picture(8, 8))), {}, "is one picture, which is one row"),
    "large frames": ("a.gif", lambda p: p.write_bytes(encoded(picture(2900, 2900), "GIF")), {}, "2,900 x 2,900"),
    "suite2p of objects": ("set", pickled_suite2p, {}, "does not hold the plain numbers"),
    "suite2p of other lengths": ("set", uneven_suite2p, {}, "regions"),
    "list of no pictures": ("set", lambda p: celeba_list(p, "1\nBald\n000002.jpg 1\n"), {}, "names none of the 1 pic"),
    "list of letters": ("set", lambda p: celeba_list(p, "1\nBald\n000001.jpg x\n"), {}, "are not -1 and 1"),
    "tracker cut": ("a.videoPositionTracking", lambda p: p.write_bytes(b"<Start settings>\n"), {}, "no header"),
    "growing gif": ("a.gif", growing_gif, {}, "4,000 x 4,000"),
    "broken gif": ("a.gif", lambda p: p.write_bytes(b"GIF89a" + bytes(30)), {}, "damaged or no picture"),
    "idx claim": ("a-idx3-ubyte", lambda p: p.write_bytes(idx((2**31, 28, 28), bytes(99))), {}, "its size cannot"),
    "idx cut": ("a-idx3-ubyte.gz", lambda p: p.write_bytes(gzip.compress(idx((9, 2, 2), bytes(9)))), {}, "cut off"),
    "idx long": ("a-idx3-ubyte.gz", lambda p: p.write_bytes(gzip.compress(idx((2, 2, 2), bytes(9)))), {}, "holds more"),
    "idx magic": ("a-idx3-ubyte", lambda p: p.write_bytes(b"\0\0\x07\x03" + bytes(60)), {}, "as IDX files do"),
    "gzip bomb": ("a-idx3-ubyte.gz", lambda p: p.write_bytes(gzip.compress(idx((10**5, 28, 28), bytes(2**24)))), {},
                  "its size cannot|cut off|would take"),
    "no gzip": ("a-idx3-ubyte.gz", lambda p: p.write_bytes(b"<html>" + bytes(60)), {}, "is a web page"),
    "csv gz": ("a.csv.gz", lambda p: p.write_bytes(gzip.compress(b"a,b\n1,2\n")), {}, "no reader knows"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_in_one_sentence(tmp_path, case):
    name, make, arguments, message = HOSTILE[case]
    make(tmp_path / name)
    with pytest.raises(DataError, match=message) as caught:
        readers.read(tmp_path / name, **arguments)
    assert str(caught.value).count(". ") == 0
    assert str(caught.value).endswith(".")


def test_a_picture_is_looked_at_before_it_is_decoded():
    with pytest.raises(ValueError, match="more than"):
        images.open_picture(png_claim(5_000, 5_000))
