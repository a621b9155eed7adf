"""Rows in files: .npy and Parquet files, folders of them, memory maps, datasets of pyarrow.

Files are read piece by piece with ordinary reads. The pages of a memory map would count as memory
of the process for as long as the system has no other use for them.
"""

import os
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import numpy as np

from fastclust._algorithms.memory import check_memory

PIECE_BYTES = 2**20
"""Bytes that are read at a time: they stay in a cache until they are copied into a block."""

KINDS = (".npy", ".parquet")


def open_rows(path, columns=None):
    """Open rows in files, which estimators then read in blocks if they do not fit into memory.

    Nothing but the description of the rows is read here. What is opened can be given to `KMeans`,
    `SphericalKMeans`, `MiniBatchKMeans` and `GaussianMixture` as X, to their methods `fit`,
    `predict`, `score` and so on. Rows that fit into the limit of `limit_memory` are read once, and
    everything is as for an array; others are read in blocks, in each pass over the rows. Other
    estimators, and `numpy.asarray`, read all rows into memory.

    Parameters
    ----------
    path : str, path-like or pyarrow.dataset.Dataset
        A .npy file of two dimensions, a Parquet file, or a folder that has files of one of these
        kinds, which are read in the order of their names. All but .npy files need pyarrow.
    columns : list of str or int, default=None
        Names of the columns to read, or their positions; None for all, but for those that the
        metadata of a Parquet file call an index of pandas. Columns of .npy files have no names.

    Returns
    -------
    rows : RowFiles
        The rows. `rows.shape`, `rows.dtype` and `rows.feature_names` describe them, and a loop over
        them yields arrays of consecutive rows, again from the first in each loop.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If there are no such files, or they are not rows of numbers of the same columns.
    ImportError
        If pyarrow is needed and not installed.

    See Also
    --------
    limit_memory : Sets how much memory they may take.

    Examples
    --------
    >>> import tempfile, os
    >>> import numpy as np
    >>> from fastclust import KMeans, open_rows
    >>> path = os.path.join(tempfile.mkdtemp(), "rows.npy")
    >>> np.save(path, np.array([[1.0, 2.0], [1.0, 4.0], [10.0, 2.0], [10.0, 4.0]]))
    >>> rows = open_rows(path)
    >>> rows.shape
    (4, 2)
    >>> KMeans(2, random_state=0).fit(rows).inertia_
    4.0
    """
    if not isinstance(path, (str, os.PathLike)):
        return _open_arrow(path, columns)
    files = find_files(Path(path))
    if files[0].suffix.lower() == ".parquet":
        return _open_arrow(files, columns)
    return RowFiles([open_npy(file) for file in files], columns)


def find_files(path):
    """Files of rows: that of this path, or those of this folder, by their names.

    Raises
    ------
    ValueError
        If there are none, or of several kinds.
    """
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if _is_data(file))
        kinds = sorted({file.suffix.lower() for file in files})
        if len(kinds) != 1:
            found = " and ".join(kinds) if kinds else f"no {' or '.join(KINDS)}"
            raise ValueError(f"{path}: a folder of rows must have files of one kind, not {found}")
    if files[0].suffix.lower() not in KINDS:
        raise ValueError(f"{path}: the name must end in {' or '.join(KINDS)}, or be a folder's")
    return files


def _is_data(file):
    """Whether a file of a folder has rows: those whose name begins with . or _ are notes."""
    return file.suffix.lower() in KINDS and file.name[0] not in "._" and file.is_file()


def _open_arrow(files, columns):
    """Rows that pyarrow reads."""
    from fastclust._algorithms.rows.arrow import ArrowRows

    return ArrowRows(files, columns)


class BlocksInFiles:
    """Rows in parts, each of which is read from a file: what all kinds of files share.

    A subclass sets the attributes, and has `_read_part`.

    Attributes
    ----------
    n_features, n_samples : int
        Numbers of columns and rows.
    dtype : dtype
        float32 if all columns are of that type, or else float64.
    feature_names : list of str or None
        Names of the columns; set to None, they count as having none.
    """

    n_features: int
    dtype: np.dtype
    feature_names: list[str] | None = None

    def __init__(self, paths, lengths):
        self._paths = paths
        self._stamps = [None if path is None else _stamp(path) for path in paths]
        self._ends = list(accumulate(lengths))
        self.n_samples = self._ends[-1] if self._ends else 0

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.n_samples, self.n_features

    def __len__(self):
        return self.n_samples

    def __iter__(self):
        """Yield arrays of consecutive rows."""
        return (rows for _, rows in self.named_blocks())

    def __array__(self, dtype=None, copy=None):
        """All rows, in memory."""
        dtype = np.dtype(dtype or self.dtype)
        n_samples, n_features = self.shape
        what = f"An array of {n_samples:,} x {n_features} rows"
        check_memory(n_samples * n_features * dtype.itemsize, what)
        X, first = np.empty(self.shape, dtype), 0
        for rows in self:
            X[first : first + len(rows)] = rows
            first += len(rows)
        return X

    def __repr__(self):
        return f"<{type(self).__name__}: {self.n_samples:,} x {self.n_features}, {self.dtype}>"

    def header(self):
        """No rows, with the names of the columns, if they have any."""
        return np.empty((0, self.n_features), dtype=self.dtype)

    def named_blocks(self, first_row=0):
        """Yield (place, rows) of consecutive rows from this one on; the place is for messages.

        Raises
        ------
        ValueError
            If a file has changed since it was opened.
        """
        for number in range(bisect_right(self._ends, first_row), len(self._ends)):
            path = self._paths[number]
            start = self._ends[number - 1] if number else 0
            self._check_unchanged(number)
            n_read = first = max(0, first_row - start)
            for block, rows in enumerate(self._read_part(number, first), start=1):
                yield f"block {block} of {path or 'the dataset'}", rows
                n_read += len(rows)
            self._check_unchanged(number)
            if n_read != self._ends[number] - start:
                raise _changed_error(path)

    def _check_unchanged(self, number):
        """Raise ValueError if the file of a part has changed since it was opened."""
        if self._paths[number] is not None and _stamp(self._paths[number]) != self._stamps[number]:
            raise _changed_error(self._paths[number])

    def _read_part(self, number, first_row):
        """Yield arrays of consecutive rows of a part from this row of it on."""
        raise NotImplementedError


class RowFiles(BlocksInFiles):
    """Rows of arrays in files, which are read piece by piece.

    Parameters
    ----------
    arrays : list of ArrayInFile
        The arrays, one below the other.
    columns : list of int, default=None
        Positions of the columns to read; None for all.
    """

    def __init__(self, arrays, columns=None):
        super().__init__([a.path for a in arrays], [a.n_samples for a in arrays])
        self._arrays, width = arrays, arrays[0].n_features
        for array in arrays:
            if array.n_features != width:
                raise ValueError(
                    f"{array.path} has {array.n_features} columns, and {arrays[0].path} has {width}"
                )
        self._columns = slice(None) if columns is None else list(columns)
        try:
            self.n_features = len(np.arange(width)[self._columns])
        except IndexError as error:
            raise ValueError(f"{arrays[0].path}: columns are numbers from 0: {error}") from None
        is_float32 = all(a.dtype.newbyteorder("=") == np.float32 for a in arrays)
        self.dtype = np.dtype(np.float32 if is_float32 else np.float64)

    def _read_part(self, number, first_row):
        """Yield arrays of consecutive rows of an array from this row of it on."""
        for rows in self._arrays[number].read(first_row):
            yield rows[:, self._columns]


class ArrayInFile:
    """An array of two dimensions in a file.

    Parameters
    ----------
    path : str or path-like
        The file.
    dtype : dtype
        Type of its values.
    shape : tuple of int
        (n_samples, n_features).
    offset : int
        Byte of the file at which the first row begins.
    row_bytes : int, default=None
        Bytes from one row to the next; those of its values by default.
    is_fortran : bool, default=False
        Whether values of a column are next to each other instead of those of a row.

    Raises
    ------
    ValueError
        If the values are no numbers.
    """

    def __init__(self, path, dtype, shape, offset, row_bytes=None, is_fortran=False):
        if dtype.kind not in "biuf":
            raise ValueError(f"{path}: not numeric: {dtype}")
        self.path, self.dtype = path, dtype
        self.n_samples, self.n_features = shape
        self._offset, self._is_fortran = offset, is_fortran
        self._row_bytes = row_bytes or self.n_features * dtype.itemsize

    def read(self, first_row):
        """Yield arrays of consecutive rows from this one on."""
        n_at_once = max(1, PIECE_BYTES // max(1, self._row_bytes))
        with open(self.path, "rb", buffering=0) as file:
            for first in range(first_row, self.n_samples, n_at_once):
                n_rows = min(n_at_once, self.n_samples - first)
                yield (self._columns if self._is_fortran else self._rows)(file, first, n_rows)

    def _rows(self, file, first, n_rows):
        """Rows from this one on, where values of a row are next to each other."""
        values = np.empty(n_rows * self._row_bytes, dtype=np.uint8)
        n_bytes = self.n_features * self.dtype.itemsize
        wanted = values.data[: (n_rows - 1) * self._row_bytes + n_bytes]
        self._read_at(file, self._offset + first * self._row_bytes, wanted)
        return values.reshape(n_rows, self._row_bytes)[:, :n_bytes].view(self.dtype)

    def _columns(self, file, first, n_rows):
        """Rows from this one on, where values of a column are next to each other."""
        columns = np.empty((self.n_features, n_rows), dtype=self.dtype)
        for f, column in enumerate(columns):
            place = (f * self.n_samples + first) * self.dtype.itemsize
            self._read_at(file, self._offset + place, column.view(np.uint8).data)
        return columns.T

    def _read_at(self, file, place, view):
        """Fill a view of bytes with what is at this byte of the file."""
        file.seek(place)
        while len(view):
            n_bytes = file.readinto(view)
            if not n_bytes:
                raise ValueError(f"{self.path} ends before its last row: it has been truncated")
            view = view[n_bytes:]


def open_npy(path):
    """Describe the array in a .npy file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not what its name says, has no two dimensions, or is shorter than its header says.
    """
    try:
        X = np.load(path, mmap_mode="r", allow_pickle=False)  # a map, of which no page is touched
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(X, np.memmap) or X.ndim != 2:
        raise ValueError(f"{path}: not an array of two dimensions")
    is_fortran = X.flags.f_contiguous and not X.flags.c_contiguous
    return ArrayInFile(path, X.dtype, X.shape, X.offset, is_fortran=is_fortran)


def open_map(X):
    """Rows of a memory map, or of a slice of one, to be read from its file.

    Parameters
    ----------
    X : memmap of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    rows : RowFiles or None
        None if they are not those of the file in their order: where the map is copied when it is
        written to, or rows are not whole in the file.
    """
    root = X
    while isinstance(root.base, np.memmap):
        root = root.base
    row_bytes, value_bytes = X.strides if X.ndim == 2 else (0, 0)
    is_whole = value_bytes == X.itemsize and row_bytes >= X.shape[1] * X.itemsize
    if X.dtype.kind not in "biuf" or X.filename is None or X.mode == "c" or not is_whole:
        return None
    root.flush()  # what has been written to the map, where it can be written to
    # A slice has the `offset` of the whole map.
    place = root.offset + X.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return RowFiles([ArrayInFile(X.filename, X.dtype, X.shape, place, row_bytes)])


def _stamp(path):
    """Size and time of a file, which change when it is written to."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _changed_error(path):
    """Error of rows that are not those of the passes before."""
    return ValueError(f"{path or 'The dataset'} has changed since it was opened: open it again")
