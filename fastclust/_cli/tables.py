"""Tables in files: numbers in from CSV, Parquet, Arrow and .npy, and results out.

All but .npy is pyarrow's work, which is imported when it is needed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastclust._algorithms.rows.arrow import as_numbers, column_names, index_columns
from fastclust._algorithms.rows.files import find_files, open_rows
from fastclust._cli.csv_file import read_csv
from fastclust._cli.files import CommandError

KINDS = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".npy": "npy",
}


@dataclass
class Table:
    """Rows of numbers, and where their columns came from.

    Attributes
    ----------
    X : ndarray or BlocksInFiles of shape (n_samples, n_features), float32 or float64
        The numbers.
    names : list of str or None
        Names of the columns; None if the file has none.
    numbers : list of int
        Positions of the columns in the file, from 0, an index that is not used not counted.
    """

    X: Any
    names: list[str] | None
    numbers: list[int]

    def label(self, f):
        """Words for column f, for messages."""
        return f"column {self.numbers[f] if self.names is None else repr(self.names[f])}"


def kind_of(path):
    """Return the kind of a file by its name, "csv" for "-"."""
    kind = "csv" if str(path) == "-" else KINDS.get(Path(path).suffix.lower())
    if kind is None:
        raise CommandError(f"{path}: the name must end in one of {', '.join(KINDS)}")
    if kind != "npy":
        try:
            import pyarrow  # noqa: F401  (is it there?)
        except ImportError:
            raise CommandError(
                f'{path}: this kind of file needs pyarrow: pip install "fastclust[tables]"'
            ) from None
    return kind


def read_table(path, choose=None, *, header=None):
    """Read columns of numbers.

    The index that pandas writes is no feature, unless it is chosen by name: columns that the
    metadata of a Parquet or Arrow file call one, and a first column of a CSV file that has no name
    and counts the rows.

    Parameters
    ----------
    path : str
        The file, or "-" for CSV from standard input.
    choose : callable or None
        Given the names (None if there are none) and the positions of the columns that are no
        index, returns the positions of those to read, or raises ValueError; None for all that are
        no index.
    header : bool or None
        Whether the first line of a CSV file has the names; None if it has unless it is of numbers,
        which is an error.

    Returns
    -------
    table : Table
        The rows; missing values are NaN.

    Raises
    ------
    CommandError
        For a file that cannot be read, is empty, or has a column that is not numeric.

    Warns
    -----
    UserWarning
        If the first column of a CSV file has no name: whether it is left out or used.
    """
    kind = kind_of(path)
    try:
        if str(path) != "-":
            open(path, "rb").close()  # its errors are shorter than pyarrow's
        if kind == "npy":
            return _read_npy(path, choose)
        if kind == "csv":
            *columns, has_names = read_csv(path, choose, header)
            return _make_table(*columns, has_names=has_names)
        return _read_arrow(path, kind, choose)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or _one_line(error)}") from None
    except (ValueError, EOFError) as error:  # pyarrow's are ValueErrors
        raise CommandError(f"{path}: {_one_line(error)}") from None


def open_table(path, choose):
    """Open columns of numbers in a .npy or Parquet file or a folder, which are read in blocks.

    Parameters
    ----------
    path : str
        The file or folder.
    choose : callable
        As in `read_table`.

    Returns
    -------
    table : Table
        The rows, as of `fastclust.open_rows`.

    Raises
    ------
    CommandError
        For files that cannot be read, or are not numeric.
    """
    try:
        files, names = find_files(Path(path)), None
        if kind_of(files[0]) == "parquet":
            names = column_names(files)
        features = list(range(open_rows(path).n_features if names is None else len(names)))
        numbers = choose(names, features)
        rows = open_rows(path, numbers if names is None else [names[f] for f in numbers])
        rows.feature_names = None  # the estimators of model files know none
        return Table(rows, None if names is None else [names[f] for f in numbers], numbers)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or _one_line(error)}") from None
    except ValueError as error:
        raise CommandError(f"{path}: {_one_line(error)}") from None


def _read_npy(path, choose):
    """Read the columns chosen of a .npy file."""
    X = np.load(path, allow_pickle=False)
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        raise ValueError("not an array of two dimensions")
    if X.dtype.kind not in "biuf":
        raise ValueError(f"not numeric: {X.dtype}")
    numbers = list(range(X.shape[1]))
    if choose is not None:
        numbers = choose(None, numbers)
        X = X[:, numbers]
    _check_not_empty(X.shape)
    dtype = np.float32 if X.dtype == np.float32 else np.float64
    return Table(np.ascontiguousarray(X, dtype=dtype), None, numbers)


def _read_arrow(path, kind, choose):
    """Read a Parquet or Arrow file: first the names, then the columns chosen."""
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    if kind == "parquet":
        schema, read = pa.parquet.read_schema(path), pa.parquet.read_table
    else:
        with pa.ipc.open_file(path) as file:
            schema, read = file.schema, pa.feather.read_table
    index = index_columns(schema)
    features = [f for f, name in enumerate(schema.names) if name not in index]
    numbers = features if choose is None else choose(schema.names, features)
    wanted = [schema.names[f] for f in numbers]
    return _make_table(read(path, columns=wanted), wanted, numbers, features, has_names=True)


def _make_table(data, wanted, numbers, features, *, has_names):
    """Make numbers of columns of a table of pyarrow.

    Parameters
    ----------
    data : pyarrow.Table
        Has at least these columns, in any order.
    wanted : list of str
        Their names.
    numbers : list of int
        Their positions in the file.
    features : list of int
        Positions of the columns that are no index.
    has_names : bool
        Whether the names are the file's.
    """
    import pyarrow as pa

    columns = dict(zip(data.column_names, data.columns, strict=True))
    if len(columns) < data.num_columns:
        raise ValueError("more than one column of the same name")
    chosen = [columns[name] for name in wanted]
    _check_not_empty((data.num_rows, len(chosen)))
    is_float32 = all(column.type == pa.float32() for column in chosen)
    X = np.empty((data.num_rows, len(chosen)), dtype=np.float32 if is_float32 else np.float64)
    kept = sorted({*features, *numbers})  # an index is counted only if it is chosen
    places = {number: place for place, number in enumerate(kept)}
    table = Table(X, wanted if has_names else None, [places[number] for number in numbers])
    for f, column in enumerate(chosen):
        X[:, f] = as_numbers(column, table.label(f))
    return table


def _check_not_empty(shape):
    """Raise ValueError for a table without rows or columns."""
    if 0 in shape:
        raise ValueError(f"no {'columns' if shape[1] == 0 else 'rows'}")


def _one_line(error):
    """Words of an error on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def write_table(file, kind, columns):
    """Write columns to an open file.

    Parameters
    ----------
    file : binary file
        Where they go.
    kind : str
        One of the values of `KINDS`.
    columns : dict of str to ndarray of shape (n_samples,)
        The columns by name; .npy gets one array, of one dimension if there is one column.
    """
    if kind == "npy":
        values = list(columns.values())
        np.save(file, values[0] if len(values) == 1 else np.column_stack(values))
        return
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.feather
    import pyarrow.parquet

    write = {
        "csv": pa.csv.write_csv,
        "parquet": pa.parquet.write_table,
        "arrow": pa.feather.write_feather,
    }[kind]
    write(pa.table({name: pa.array(values) for name, values in columns.items()}), file)
