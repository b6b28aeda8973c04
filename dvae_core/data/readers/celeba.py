"""CelebA in its common layouts: torchvision's folder, Kaggle's, and the zip with its list of attributes.

The central 148 pixels of each picture are resized to 64 x 64, as is usual. For non-commercial research only.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import images
from dvae_core.data.readers.common import ReadOptions, kept_open, licence_beside, reading
from dvae_core.data.readers.model import PICTURE, Part, Recording, Variable, rows_of

CROP, SHAPE = 148, (64, 64, 3)
FOLDER, ATTRIBUTES = "img_align_celeba", "list_attr_celeba"
LICENCE = "CelebA: non-commercial research only"

_MAX_TABLE = 2**27  # bytes of an attribute list; CelebA's has 24 MB


def files(path: Path) -> tuple[Path, Path] | None:
    """Return the pictures (a folder or a zip) and the attribute list that belongs to them, if `path` has both.

    Each may lie in `path`, in its celeba or kaggle subfolder, or beside it.
    """
    folder = path if path.is_dir() else path.parent
    near = [folder, folder / "celeba", folder / "kaggle"]
    lists = [place / f"{ATTRIBUTES}{suffix}" for place in near for suffix in (".txt", ".csv")]
    if folder.name in (FOLDER, "celeba", "kaggle") or not path.is_dir():
        near += [folder.parent, folder.parent / "celeba"]
        lists += [place / f"{ATTRIBUTES}{suffix}" for place in near[-2:] for suffix in (".txt", ".csv")]
    names = next((file for file in lists if file.is_file()), None)
    if names is None:
        return None
    if not path.is_dir():
        return (path, names) if path.suffix.lower() == ".zip" else None
    places = [place / FOLDER for place in near] + [place / f"{FOLDER}.zip" for place in near]
    found = next((place for place in places if place.is_dir() or place.is_file()), None)
    if found is None:
        return None
    return (found / FOLDER if (found / FOLDER).is_dir() else found), names


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return pictures and their attributes for u or z, by single names; `attributes` stands for all 40."""
    with kept_open(images.Pictures.of(_files(path)[0])) as pictures:
        return _recording(path, pictures, options)


def _files(path: Path) -> tuple[Path, Path]:
    found = files(path)
    if found is None:
        raise DataError(f"{path.name} has no {FOLDER} with a {ATTRIBUTES}.txt or .csv; put them side by side.")
    return found


def _recording(path: Path, pictures: images.Pictures, options: ReadOptions) -> Recording:
    table = _files(path)[1]
    names, rows, values = _table(table)
    there = {name.rsplit("/", 1)[-1]: name for name in pictures.names}
    known = np.array([row in there for row in rows])
    if not known.any():
        raise DataError(f"{table.name} names none of the {len(there):,} pictures; check that they belong together.")
    rows, values = [row for row in rows if row in there], values[known]
    shape = options.x_shape or SHAPE
    variables = [
        Variable("pictures", (len(rows), *shape), "uint8", "matrix", f"middle {CROP} pixels of 178 x 218", PICTURE),
        Variable("attributes", values.shape, "uint8", "matrix", f"all {len(names)} at once"),
        *(Variable(name, (len(rows),), "uint8", "label") for name in names),
    ]
    facts = {"format": "CelebA", "pictures": f"middle {CROP} pixels, {shape[1]} x {shape[0]}"}

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        which = rows_of(parts, len(rows))
        found, good, notes = images.stack(pictures, [there[rows[i]] for i in which.tolist()], shape, CROP)
        facts.update({"left out": notes[0]} if notes else {})
        arrays: dict[str, Any] = {"pictures": found, "attributes": values[which][good]}
        for name in set(parts) - set(arrays):
            arrays[name] = values[which, names.index(name)][good]
        return arrays

    return Recording(
        path, variables, load, x=("pictures",), meta=facts, licence=licence_near(path),
        columns={"attributes": tuple(names)}, close=pictures.close,
    )  # fmt: skip


def licence_near(path: Path) -> str:
    """Return the licence stated one folder up, where a README often lies, or that of CelebA."""
    return licence_beside(path.parent).get("licence", LICENCE)


def _table(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Return attribute names, picture names and the values (0 or 1) of a list, in the order of the pictures."""
    with reading(path):
        if path.stat().st_size > _MAX_TABLE:
            raise ValueError("it is too large for a list of attributes")
        with open(path, encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                lines = list(csv.reader(file))
                names, body = lines[0][1:], lines[1:]
            else:
                file.readline()  # the number of pictures
                names, body = file.readline().split(), [line.split() for line in file]
        body = sorted(line for line in body if line)
        if not names or len(names) > 1000 or not body or any(len(line) != len(names) + 1 for line in body):
            raise ValueError("its lines do not have a value for each attribute")
        texts = np.array([line[1:] for line in body])
        if not np.isin(texts, ("-1", "0", "1")).all():
            raise ValueError("its values are not -1 and 1")
        values = texts.astype(np.int64)
    return names, [line[0] for line in body], (values > 0).astype(np.uint8)
