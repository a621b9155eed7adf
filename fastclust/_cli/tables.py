"""Tables in files: numbers in from CSV, Parquet, Arrow and .npy, and results out.

All but .npy is pyarrow's work, which is imported when it is needed.
"""

import contextlib
import functools
import os
import sys
import warnings
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


FIRST_BLOCK, LARGEST_BLOCK = 2**20, 2**31 - 1
"""Bytes that pyarrow takes at a time, for a CSV file: its default, and its limit."""


class CommandError(Exception):
    """Why a command failed, in one line that names the file at fault."""

    status = 1


class OptionError(CommandError):
    """A file that needs an option."""

    status = 2


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
        Positions of the columns in the file, from 0, an index that is not used not counted.
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
        return _read_csv(path, choose, header) if kind == "csv" else _read_arrow(path, kind, choose)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or _one_line(error)}") from None
    except (ValueError, EOFError) as error:  # pyarrow's are ValueErrors
        raise CommandError(f"{path}: {_one_line(error)}") from None


def _read_npy(path, choose):
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
    noted = (schema.pandas_metadata or {}).get("index_columns") or []
    index = {name for name in noted if isinstance(name, str)}  # others describe a RangeIndex
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
        X[:, f] = _numbers(column, table.label(f))
    return table


def _numbers(column, label):
    """Values of a column of numbers or booleans, NaN where they are missing."""
    import pyarrow as pa

    kind = pa.types
    if kind.is_dictionary(column.type):
        values = column.type.value_type
        if kind.is_string(values) or kind.is_large_string(values):
            raise ValueError(f"{label}: not numeric: {column.type}")
        return _numbers(column.cast(values), label)
    if kind.is_boolean(column.type):
        column = column.cast(pa.uint8())
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


# -- CSV -----------------------------------------------------------------------------------------


def _read_csv(path, choose, header):
    """Read a CSV file: first the names, then the columns chosen."""
    file = _CsvFile(path, has_names=header is not False)
    names = file.names
    features = list(range(len(names)))
    starts_unnamed = file.has_names and len(names) > 1 and not names[0].strip()
    counts_rows = starts_unnamed and _counts_rows(file.read(names[:1]).column(0))
    if header is None and _are_numbers(names):
        is_of_pandas = counts_rows and names[1:] == [str(f) for f in features[:-1]]
        if not is_of_pandas:
            raise OptionError(
                f"{path}: the first line is of numbers: say --no-header if it is a row, or "
                "--header if these are names of columns"
            )
    if counts_rows:
        del features[0]
    given_names = names if file.has_names else None
    numbers = features if choose is None else choose(given_names, features)
    if counts_rows and 0 not in numbers:
        warnings.warn(
            f"{path}: the first column has no name and counts the rows, so it is left out; give "
            "it a name to use it",
            stacklevel=2,
        )
    elif starts_unnamed and 0 in numbers and not counts_rows:
        warnings.warn(f"{path}: the first column has no name, and is used", stacklevel=2)
    wanted = [names[f] for f in numbers]
    data = file.read(wanted)
    return _make_table(data, wanted, numbers, features, has_names=file.has_names)


def _are_numbers(names):
    """Whether names are those of a row of numbers, of which some may be missing."""
    import pyarrow.csv as csv

    def is_number(name):
        try:
            float(name)
        except ValueError:
            return False
        return "_" not in name  # 1_0 is 10 to Python alone

    given = [name for name in names if name not in csv.ConvertOptions().null_values]
    return bool(given) and all(map(is_number, given))


def _counts_rows(column):
    """Whether a column of pyarrow is 0, 1, 2 and so on, or 1, 2, 3."""
    import pyarrow as pa

    if not pa.types.is_integer(column.type) or len(column) == 0:
        return False
    values = column.to_numpy()
    return values[0] in (0, 1) and np.array_equal(values, values[0] + np.arange(len(values)))


class _CsvFile:
    """A CSV file, or standard input, with rows and quoted values of any length.

    Attributes
    ----------
    has_names : bool
        Whether the first line has the names of the columns.
    names : list of str
        The names; numbered ones if there are none.
    """

    def __init__(self, path, *, has_names):
        self.has_names = has_names
        if str(path) == "-":
            self._path, self._stdin = None, sys.stdin.buffer.read()
            self._size, n_quotes = len(self._stdin), self._stdin.count(b'"')
        else:
            self._path, self._size = path, os.path.getsize(path)
            n_quotes = _count_quotes(path)
        # Lines may break in quotes only, and looking for those takes time. An empty line is a
        # missing value of the only column; of several columns it is none.
        self._parse = {"newlines_in_values": n_quotes > 0, "ignore_empty_lines": True}
        self.names = self._read_names()
        if len(self.names) == 1:
            self._parse["ignore_empty_lines"] = False
            if self._read_names() != self.names:
                raise ValueError("the first line is empty")
        if n_quotes % 2 and self._ends_in_quotes():
            raise ValueError("a quoted value has no end")

    def _source(self):
        import pyarrow as pa

        return pa.BufferReader(self._stdin) if self._path is None else self._path

    def _ends_in_quotes(self):
        """Whether a further row would be taken for a part of the last value."""
        content = Path(self._path).read_bytes() if self._path is not None else self._stdin
        line = b"," * (len(self.names) - 1) + b"\n" if len(self.names) > 1 else b"0\n"
        further = content + (b"" if content.endswith((b"\n", b"\r")) else b"\n") + line
        return self._count_rows(further) == self._count_rows(content)

    def _count_rows(self, content):
        import pyarrow as pa
        import pyarrow.csv as csv

        parse = csv.ParseOptions(invalid_row_handler=lambda row: "skip", **self._parse)

        def read(block_size):
            how = csv.ReadOptions(
                autogenerate_column_names=not self.has_names, block_size=block_size
            )
            convert = csv.ConvertOptions(include_columns=self.names[:1])
            return csv.read_csv(pa.BufferReader(content), how, parse, convert).num_rows

        return self._read_in_blocks(read)

    def _read_in_blocks(self, read):
        """Call `read(block_size)` with ever larger blocks, until no row is longer than one."""
        import pyarrow as pa

        block_size = FIRST_BLOCK
        while True:
            try:
                return read(block_size)
            except pa.ArrowInvalid as error:  # "... two block boundaries", "... file or block"
                if "block" not in str(error) or block_size >= min(self._size, LARGEST_BLOCK):
                    raise
            block_size = min(8 * block_size, LARGEST_BLOCK)

    def _read_names(self):
        import pyarrow.csv as csv

        parse = csv.ParseOptions(invalid_row_handler=lambda row: "skip", **self._parse)

        def read(block_size):
            how = csv.ReadOptions(
                autogenerate_column_names=not self.has_names, block_size=block_size
            )
            with csv.open_csv(self._source(), how, parse) as reader:
                return reader.schema.names

        return self._read_in_blocks(read)

    def read(self, wanted):
        """Read columns by their names."""
        import pyarrow as pa
        import pyarrow.csv as csv

        wrong = []

        def note(row):
            wrong.append(row)
            return "error"

        def read(use_threads, block_size):
            return csv.read_csv(
                self._source(),
                csv.ReadOptions(
                    autogenerate_column_names=not self.has_names,
                    use_threads=use_threads,
                    block_size=block_size,
                ),
                csv.ParseOptions(invalid_row_handler=note, **self._parse),
                csv.ConvertOptions(include_columns=wanted),
            )

        for use_threads in True, False:  # the number of a row is known to one thread alone
            try:
                return self._read_in_blocks(functools.partial(read, use_threads))
            except pa.ArrowInvalid:
                if not wrong:
                    raise
        row = wrong[-1]
        number = row.number - self.has_names
        raise ValueError(f"row {number}: {row.actual_columns} columns, not {row.expected_columns}")


def _count_quotes(path):
    """Count the quotes of a file, which bytes.count does at the speed of memory."""
    with open(path, "rb") as file:
        return sum(part.count(b'"') for part in iter(lambda: file.read(FIRST_BLOCK), b""))


def _check_not_empty(shape):
    if 0 in shape:
        raise ValueError(f"no {'columns' if shape[1] == 0 else 'rows'}")


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
