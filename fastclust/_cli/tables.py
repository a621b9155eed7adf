"""Tables in files: numbers in from CSV, Parquet, Arrow and .npy, and results out.

All but .npy is pyarrow's work, which is imported when it is needed.
"""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

KINDS = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".npy": "npy",
}


class CommandError(Exception):
    """Why a command failed, in one line that names the file at fault."""


@dataclass
class Table:
    """Rows of numbers, and where their columns came from.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
        The numbers.
    names : list of str or None
        Names of the columns; None if the file has none.
    numbers : list of int
        Positions of the columns in the file, from 0.
    """

    X: np.ndarray
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


def read_table(path, choose=None, *, header=True):
    """Read columns of numbers.

    Parameters
    ----------
    path : str
        The file, or "-" for CSV from standard input.
    choose : callable or None
        Given the names (None if there are none) and the number of columns, returns the positions
        of those to read, or raises ValueError; None for all.
    header : bool
        Whether the first line of a CSV file has the names.

    Returns
    -------
    table : Table
        The rows; missing values are NaN.

    Raises
    ------
    CommandError
        For a file that cannot be read, is empty, or has a column that is not numeric.
    """
    kind = kind_of(path)
    try:
        if str(path) != "-":
            open(path, "rb").close()  # its errors are shorter than pyarrow's
        if kind == "npy":
            return _read_npy(path, choose)
        return _read_arrow(path, kind, choose, header)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or _one_line(error)}") from None
    except (ValueError, EOFError) as error:  # pyarrow's are ValueErrors
        raise CommandError(f"{path}: {_one_line(error)}") from None


def _read_npy(path, choose):
    X = np.load(path, allow_pickle=False)
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        raise ValueError("not an array of two dimensions")
    if X.dtype.kind not in "iuf":
        raise ValueError(f"not numeric: {X.dtype}")
    numbers = list(range(X.shape[1])) if choose is None else choose(None, X.shape[1])
    if choose is not None:
        X = X[:, numbers]
    _check_not_empty(X.shape)
    dtype = np.float32 if X.dtype == np.float32 else np.float64
    return Table(np.ascontiguousarray(X, dtype=dtype), None, numbers)


def _read_arrow(path, kind, choose, header):
    """Read from a kind of file that pyarrow knows: first the names, then the columns chosen."""
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    def source():
        return path if stdin is None else pa.BufferReader(stdin)

    stdin = pa.py_buffer(sys.stdin.buffer.read()) if str(path) == "-" else None
    if kind == "csv":
        names = _names_in_csv(source(), header)
    elif kind == "parquet":
        names = pa.parquet.read_schema(path).names
    else:
        with pa.ipc.open_file(path) as file:
            names = file.schema.names
    given_names = names if kind != "csv" or header else None
    numbers = list(range(len(names))) if choose is None else choose(given_names, len(names))
    wanted = [names[number] for number in numbers]
    if kind == "csv":
        data = _read_csv(source, header, wanted)
    elif kind == "parquet":
        data = pa.parquet.read_table(path, columns=wanted)
    else:
        data = pa.feather.read_table(path, columns=wanted)
    chosen = [data.column(name) for name in wanted]
    _check_not_empty((data.num_rows, len(chosen)))
    is_float32 = all(column.type == pa.float32() for column in chosen)
    X = np.empty((data.num_rows, len(chosen)), dtype=np.float32 if is_float32 else np.float64)
    table = Table(X, None if given_names is None else wanted, numbers)
    for f, column in enumerate(chosen):
        X[:, f] = _numbers(column, table.label(f))
    return table


def _names_in_csv(source, header):
    import pyarrow.csv as csv

    read = csv.ReadOptions(autogenerate_column_names=not header)
    parse = csv.ParseOptions(invalid_row_handler=lambda row: "skip")
    with csv.open_csv(source, read, parse) as reader:
        return reader.schema.names


def _read_csv(source, header, wanted):
    import pyarrow as pa
    import pyarrow.csv as csv

    wrong = []

    def note(row):
        wrong.append(row)
        return "error"

    for use_threads in True, False:  # the number of a row is known to one thread alone
        try:
            return csv.read_csv(
                source(),
                csv.ReadOptions(autogenerate_column_names=not header, use_threads=use_threads),
                csv.ParseOptions(invalid_row_handler=note),
                csv.ConvertOptions(include_columns=wanted),
            )
        except pa.ArrowInvalid:
            if not wrong:
                raise
    row = wrong[-1]
    number = row.number - header
    raise ValueError(f"row {number}: {row.actual_columns} columns, not {row.expected_columns}")


def _numbers(column, label):
    import pyarrow as pa

    kind = pa.types
    if kind.is_null(column.type) or kind.is_decimal(column.type):
        column = column.cast(pa.float64())
    if kind.is_integer(column.type) or kind.is_floating(column.type):
        return column.to_numpy()
    if kind.is_string(column.type) or kind.is_large_string(column.type):
        for row, value in enumerate(column.to_pylist(), start=1):
            try:
                float(value or "nan")
            except ValueError:
                raise ValueError(f"row {row}, {label}: not a number: {value[:40]!r}") from None
    raise ValueError(f"{label}: not numeric: {column.type}")


def _check_not_empty(shape):
    if 0 in shape:
        raise ValueError(f"no {'rows' if shape[0] == 0 else 'columns'}")


def _one_line(error):
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


@contextlib.contextmanager
def whole_or_not_at_all(path):
    """Open a file that appears at `path` only if the block succeeds."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError("it is a directory")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:  # a killed process of this number may have left one
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
