"""The single data type of the library, `Dataset`.

A Dataset is frozen and its arrays are read-only, so that a fingerprint taken once stays true.
"""

import hashlib
import json
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Shaped

from dvae_core.axes import Auxiliary, Codes, Features
from dvae_core.data.order import Order, order_of
from dvae_core.data.structure import PrincipalAxes, components_above_chance

PACK_ABOVE = 2**27  # pixels: black-and-white pictures beyond 134 MB are kept as bits

# Exceptions of numpy, zipfile and zlib on damaged or hostile files.
UNREADABLE = (ValueError, KeyError, OSError, EOFError, MemoryError, OverflowError, NotImplementedError,
              RuntimeError, SyntaxError, zlib.error, zipfile.BadZipFile, tokenize.TokenError)  # fmt: skip


class DataError(ValueError):
    """Data that cannot be used; one sentence says what was expected, what was found, and what to do."""


class MissingValues(DataError):
    """Data with values that are not finite; `given` holds the Dataset's arguments, so that `care` can cure it."""

    given: Mapping[str, Any] = {}


class PackedBits:
    """Black-and-white pictures at one bit per pixel; reads like the uint8 array `[n d]` of 0 and 1 it represents.

    Rows are unpacked on request. dSprites (737,280 x 64 x 64) takes 377 MB in this form instead of 3 GB.
    """

    dtype = np.dtype(np.uint8)
    ndim = 2

    def __init__(self, bits: np.ndarray, d: int) -> None:
        if bits.dtype != np.uint8 or bits.shape[1:] != ((d + 7) // 8,):
            raise DataError(f"{d} packed columns need {(d + 7) // 8} bytes a row; got {bits.dtype} {bits.shape}.")
        self.bits, self.shape = bits, (len(bits), d)
        self.bits.setflags(write=False)

    @classmethod
    def of(cls, x: np.ndarray) -> "PackedBits":
        """Pack an array of 0 and 1, a few rows at a time."""
        bits = np.empty((len(x), (x.shape[1] + 7) // 8), np.uint8)
        for start in range(0, len(x), 4096):
            bits[start : start + 4096] = np.packbits(x[start : start + 4096], axis=1)
        return cls(bits, x.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        return np.unpackbits(self.bits[rows], axis=-1, count=self.shape[1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.uint8, copy=False)

    @property
    def data(self) -> memoryview:
        """The packed bytes."""
        return self.bits.data

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.bits.nbytes

    def constant(self) -> np.ndarray:
        """Return the indices of columns that never change."""
        same = ~(np.bitwise_or.reduce(self.bits, axis=0) ^ np.bitwise_and.reduce(self.bits, axis=0))
        return np.flatnonzero(np.unpackbits(same, count=self.shape[1]))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of data x, with everything else that is known about each row.

    Arrays are copied to the stored types and made read-only (bytes that are already read-only are kept as they are).
    Large black-and-white pictures are packed as bits, and `meta["storage"]` says so. A single column may be given flat.
    Constant columns of x are kept, and the first 50 are listed in `meta["constant columns"]`. If a float64 column has
    an offset so large that float32 would lose the signal (a clock since 1970, a pressure in Pa), the offset is
    subtracted before it is stored. A Dataset knows nothing of time except through `rate_hz`: rows are in time order
    only if it is stated.

    Attributes:
        name: Shown to the user.
        x: Data `[n d_x]`; float32, or unsigned integers for pictures (0..255) and counts.
        u: Auxiliary variable: int64 codes 0..K-1 `[n]` (labels), float32 `[n d_u]` (numbers), or None.
        z: True factors `[n d_z]` float32, if known.
        x_names: One name per column; x1, x2, ... by default.
        u_names: One name per column of u; u1, ... by default.
        z_names: One name per factor; s1, ... (sources) by default.
        u_labels: Names of the codes if u is labels, otherwise ().
        x_shape: (H, W) or (H, W, 3) for pictures; each row of x is one picture, flattened in C order.
        x_scale: Stored x times this is x in the model's units (1/255 for uint8 pictures).
        rate_hz: Sampling rate in Hz, if rows are in time order.
        meta: Source, licence and notes, shown to the user.
        index: The origin of each row `[n]`: its row number in the file (integers), or its time in seconds (floats).
        trial: The trial of each row, int64 `[n]`, if there are trials; `split` can hold out whole ones.
        session: The session of each row, int64 `[n]`, if there are several.
        u_period: Full circle of each column of u that is an angle (360, 2 pi), 0 for the others; () if there is none.
        x_offset: The offset subtracted from each column of x before it was stored, `[d_x]` float64; None for none.
        u_offset: The same for u.
        reading: What was read and what was left out, as returned by `readers.model.ReadingRecord.as_dict`.
        reduced_by: The principal axes whose components x is; None if x is as it was read. See `data.reduce`.

    Raises:
        DataError: If shapes, row counts or names disagree, a value is not finite, no column of x varies, or an offset
            is so large that float64 cannot hold the signal on top of it.
    """

    name: str
    # No checked shapes here: inputs may have any shape, and wrong ones are refused as a DataError below.
    x: np.ndarray  # [n d_x]
    u: np.ndarray | None = None  # [n] or [n d_u]
    z: np.ndarray | None = None  # [n d_z]
    x_names: tuple[str, ...] = ()
    u_names: tuple[str, ...] = ()
    z_names: tuple[str, ...] = ()
    u_labels: tuple[str, ...] = ()
    x_shape: tuple[int, ...] | None = None
    x_scale: float = 1.0
    rate_hz: float | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    index: np.ndarray | None = None  # [n]
    trial: np.ndarray | None = None  # [n]
    session: np.ndarray | None = None  # [n]
    u_period: tuple[float, ...] = ()
    x_offset: np.ndarray | None = None  # [d_x]
    u_offset: np.ndarray | None = None  # [d_u]
    reading: Mapping[str, Any] = field(default_factory=dict)
    reduced_by: PrincipalAxes | None = None

    def __post_init__(self) -> None:
        try:
            self._check()
        except MissingValues as error:
            error.given = dict(vars(self))
            raise

    def _check(self) -> None:
        """Check everything and convert it to the stored types."""
        x: Any = self.x
        x_offset, u_offset = self.x_offset, self.u_offset
        if isinstance(x, PackedBits):
            x_names = _names(self.x_names, x.shape[1], "x", "x")
        else:
            if x_offset is None:
                x, x_offset = _centred(x, "x", self.x_names)
            x, x_names = _matrix(x, "x", self.x_names, "x", keep_counts=True)
            if self.x_shape is not None and x.dtype == np.uint8 and x.size >= PACK_ABOVE and x.max() == 1:
                x = PackedBits.of(x)
        u, u_names, u_labels = self.u, self.u_names, self.u_labels
        if u is not None and np.asarray(u).dtype.kind in "iub" and np.ndim(u) == 1:
            u, u_labels = _codes(np.asarray(u), u_labels)
            u_names = _names(u_names, 1, "u", "u")
        elif u is not None:
            if u_labels:
                raise DataError("u_labels name integer codes 0..K-1 in one column; got other numbers in u.")
            if u_offset is None and not any(self.u_period):
                u, u_offset = _centred(u, "u", u_names)
            u, u_names = _matrix(u, "u", u_names, "u")
        z, z_names = (None, ()) if self.z is None else _matrix(self.z, "z", self.z_names, "s")
        for what, other in (("u", u), ("z", z)):
            if other is not None and len(other) != len(x):
                raise DataError(
                    f"x and {what} must describe the same rows, but x has {len(x):,} and {what} has {len(other):,}; "
                    "check that both come from one recording and that rows are examples."
                )
        if self.u_period and (u is None or u.ndim == 1 or len(self.u_period) != u.shape[1]):
            raise DataError("u_period has a number for each column of u that is numbers; got another count.")
        rows = {name: _per_row(getattr(self, name), name, len(x)) for name in ("index", "trial", "session")}
        constant = _constant_columns(x, x_names)
        shape = None if self.x_shape is None else tuple(int(side) for side in self.x_shape)
        _check_picture(shape, x.shape[1])
        for what, value in (("x_scale", self.x_scale), ("rate_hz", self.rate_hz)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise DataError(f"{what} must be a positive number; got {value}.")
        meta = {str(key): str(value) for key, value in self.meta.items()}
        meta |= {"constant columns": listed(constant, 50)} if constant else {}
        if isinstance(x, PackedBits):
            meta["storage"] = f"packed as bits: {x.nbytes / 1e6:,.0f} MB, not {len(x) * x.shape[1] / 1e6:,.0f} MB"
        known = {"x": x, "u": u, "z": z, "x_names": x_names, "u_names": u_names, "z_names": z_names,
                 "u_labels": tuple(u_labels), "x_shape": shape, "meta": meta, "x_offset": x_offset,
                 "u_offset": u_offset, **rows}  # fmt: skip
        for key, value in known.items():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, key, value)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.x.shape[0]

    @property
    def d_x(self) -> int:
        """Number of columns of x."""
        return self.x.shape[1]

    @property
    def has_labels(self) -> bool:
        """Whether u is labels rather than numbers."""
        return self.u is not None and self.u.ndim == 1

    @property
    def n_labels(self) -> int:
        """Number of labels; 0 if u is numbers or absent."""
        return len(self.u_labels)

    @property
    def is_counts(self) -> bool:
        """Whether x is whole numbers from 0 up, such as spike counts (pictures are not)."""
        return self.x.dtype.kind == "u" and self.x_shape is None

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with any value, shape, type or column name, but not with name or meta.

        Principal components have that of the data before: their last bits differ between machines.
        """
        if self.reduced_by is not None:
            return self.reduced_by.fingerprint
        facts = [self.x_names, self.u_names, self.z_names, self.u_labels, self.x_shape, self.x_scale, self.rate_hz]
        facts += [list(self.u_period)] if any(self.u_period) else []
        digest = hashlib.sha256(json.dumps(facts).encode())
        more = [a for a in (self.trial, self.session, self.x_offset, self.u_offset) if a is not None]
        for array in (self.x, self.u, self.z, *more):
            digest.update(b"none" if array is None else f"{array.dtype.str}{array.shape}".encode())
            digest.update(b"" if array is None else array.data)
        return digest.hexdigest()[:16]

    @cached_property
    def order(self) -> Order:
        """The information in the rows' order: how many rows x remembers, and whether neighbours resemble each other."""
        return order_of(self.x, self.u if self.has_labels else None)

    @cached_property
    def components(self) -> int:
        """The number of principal components of x that are larger than chance allows; see `components_above_chance`."""
        return components_above_chance(self.x)

    def x_float(self, rows: Shaped[np.ndarray, " k"] | None = None) -> Features:
        """Return x (or the given rows of it) as float32 in the model's units."""
        stored = self.x[:] if rows is None else self.x[rows]
        return stored.astype(np.float32) * np.float32(self.x_scale)

    def u_features(self) -> Features | None:
        """Return u as a network reads it, `[n d]` float32, or None if there is no u; see `features_of`."""
        return None if self.u is None else self.features_of(self.u)

    def features_of(self, u: Auxiliary) -> Features:
        """Return values of this data's u as a network reads them.

        Labels become one-hot, numbers stay as they are, and an angle becomes its sine and cosine: 359 and 1 degree are
        close.
        """
        if self.has_labels:
            return np.eye(self.n_labels, dtype=np.float32)[u]
        if not any(self.u_period):
            return u
        columns = []
        for j, period in enumerate(self.u_period):
            turn = 2 * np.pi * u[:, j] / period if period else None
            columns += [u[:, j]] if turn is None else [np.sin(turn), np.cos(turn)]
        return np.stack(columns, axis=1).astype(np.float32)

    @property
    def row_index(self) -> np.ndarray:
        """The origin of each row: `index`, or 0..n-1 if nothing was left out."""
        return np.arange(self.n) if self.index is None else self.index


def encode_labels(values: Shaped[np.ndarray, " n"]) -> tuple[Codes, tuple[str, ...]]:
    """Return codes 0..K-1 and the K sorted labels of a column of whole numbers or text."""
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    labels, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64), tuple(str(label) for label in labels)


def _matrix(
    values: Any, what: str, names: tuple[str, ...], letter: str, *, keep_counts: bool = False
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a checked copy, float32 (or the smallest unsigned type for counts), and its column names."""
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise DataError(f"{what} must be numbers; got values of type {values.dtype}, which have to be converted first.")
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or 0 in values.shape:
        raise DataError(f"{what} must have rows (examples) and columns, at least one each; got shape {values.shape}.")
    names = _names(names, values.shape[1], what, letter)
    if keep_counts and values.dtype == np.uint8 and values.flags.c_contiguous and not values.flags.writeable:
        return values, names
    if keep_counts and values.dtype.kind != "f" and values.min() >= 0 and values.max() <= np.iinfo(np.uint16).max:
        return np.array(values, dtype=np.uint8 if values.max() <= 255 else np.uint16, order="C"), names
    with np.errstate(over="ignore", invalid="ignore"):
        copy = np.array(values, dtype=np.float32, order="C")
    bad = ~np.isfinite(copy)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise MissingValues(
            f"{what} has {bad.sum():,} missing, infinite or too large values, the first in row {row + 1:,} of column "
            f"{names[column]}; remove or fill them first."
        )
    return copy, names


def _centred(values: Any, what: str, names: tuple[str, ...]) -> tuple[Any, np.ndarray | None]:
    """Return values minus the offset of each column whose signal float32 would lose beside it, and the offsets.

    If no column has such an offset, nothing is changed (None); float32 and types that fit into 16 bits never have one.
    """
    given = np.asarray(values)
    if given.dtype.kind not in "iuf" or given.dtype.itemsize < 4 or given.dtype == np.float32 or not given.size:
        return values, None
    if given.ndim not in (1, 2) or (given.dtype.kind in "iu" and given.min() >= 0 and given.max() <= 2**16 - 1):
        return values, None
    table = given[:, None] if given.ndim == 1 else given
    low, high = _finite_ends(table)
    span = high - low
    most = np.maximum(np.abs(low), np.abs(high))
    with np.errstate(over="ignore", invalid="ignore"):
        lost = (span > 0) & (np.spacing(most.astype(np.float32)).astype(np.float64) > 1e-4 * span)
        hopeless = (span > 0) & (np.spacing(most) > 1e-4 * span)
    lost &= np.isfinite(most) & (most < np.finfo(np.float32).max)
    if (lost & hopeless).any():
        j = int(np.flatnonzero(lost & hopeless)[0])
        name = names[j] if j < len(names) else f"{what}{j + 1}"
        raise DataError(
            f"Column {name} of {what} changes by {span[j]:.3g} at values of {most[j]:.3g}, which even 64-bit numbers "
            "hardly hold; save it without its offset."
        )
    if not lost.any():
        return values, None
    step = np.where(lost, 10.0 ** np.floor(np.log10(np.where(lost, span, 1.0))), 1.0)
    offset = np.where(lost, np.round((low + span / 2) / step) * step, 0.0)
    return table.astype(np.float64) - offset, offset


def _finite_ends(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest finite value of each column as float64; 0 if it has none."""
    if table.dtype.kind in "iu":
        return table.min(axis=0).astype(np.float64), table.max(axis=0).astype(np.float64)
    low, high = table.min(axis=0), table.max(axis=0)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        finite = np.isfinite(table)
        low = np.where(finite, table, np.inf).min(axis=0)
        high = np.where(finite, table, -np.inf).max(axis=0)
        low, high = np.where(finite.any(axis=0), low, 0.0), np.where(finite.any(axis=0), high, 0.0)
    return low.astype(np.float64), high.astype(np.float64)


def _per_row(values: Any, what: str, n: int) -> np.ndarray | None:
    """Return a copy of one integer (or, for times, one float) per row."""
    if values is None:
        return None
    values = np.asarray(values)
    if values.shape != (n,) or values.dtype.kind not in "iuf" or (what != "index" and values.dtype.kind == "f"):
        raise DataError(f"{what} has one number for each of the {n:,} rows; got {values.dtype} {values.shape}.")
    return np.array(values, dtype=np.float64 if values.dtype.kind == "f" else np.int64)


def _names(names: tuple[str, ...], count: int, what: str, letter: str) -> tuple[str, ...]:
    names = tuple(str(name) for name in names) or tuple(f"{letter}{i + 1}" for i in range(count))
    if len(names) != count:
        raise DataError(f"{what} has {count} columns but {len(names)} names; give one name a column, or none.")
    return names


def _codes(codes: np.ndarray, labels: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    if codes.size == 0:
        raise DataError("u must have one label per row; got no rows.")
    if labels and codes.min() == -1:
        absent = codes == -1
        raise MissingValues(
            f"u has no label in {absent.sum():,} rows, the first in row {absent.argmax() + 1:,}; fill them or remove "
            "those rows."
        )
    count = len(labels) or int(codes.max()) + 1
    # check the bounds first: `bincount` would otherwise allocate as much as a stray code requires
    if codes.min() < 0 or codes.max() >= min(count, len(codes)) or not np.bincount(codes, minlength=count).all():
        raise DataError(
            f"Labels must be codes 0..{count - 1}, each used at least once; got {len(np.unique(codes))} distinct "
            f"values from {codes.min()} to {codes.max()}, so encode them with encode_labels."
        )
    return np.array(codes, dtype=np.int64), tuple(str(label) for label in labels) or tuple(map(str, range(count)))


def _constant_columns(x: np.ndarray | PackedBits, names: tuple[str, ...]) -> list[str]:
    constant = x.constant() if isinstance(x, PackedBits) else np.flatnonzero(x.max(axis=0) == x.min(axis=0))
    if len(x) == 1:
        raise DataError("x must vary, but it has one row (example) only; check that rows are examples.")
    if len(constant) == x.shape[1]:
        raise DataError(f"x must vary, but all its {len(x):,} rows are the same; choose other columns.")
    return [names[i] for i in constant]


def _check_picture(shape: tuple[int, ...] | None, d_x: int) -> None:
    if shape is None:
        return
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)) or int(np.prod(shape)) != d_x:
        raise DataError(f"x_shape must be (H, W) or (H, W, 3) with product {d_x}, the columns of x; got {shape}.")


def listed(names: list[str], at_most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    rest = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {rest} more" if rest > 0 else "")
