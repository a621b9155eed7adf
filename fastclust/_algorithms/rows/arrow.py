"""Rows in Parquet files and datasets of pyarrow, and columns of pyarrow as numbers."""

import numpy as np

from fastclust._algorithms.rows.files import BlocksInFiles

BATCH_BYTES = 2**20
"""Bytes of rows that are decoded at a time."""

BUFFER_BYTES = 2**16
"""Bytes of a column that are read at a time."""


class ArrowRows(BlocksInFiles):
    """Rows of a dataset of pyarrow, read with as little memory as pyarrow can do with.

    Parameters
    ----------
    files : list of path-like, or pyarrow.dataset.Dataset
        Parquet files, or a dataset.
    columns : list of str or int, default=None
        Names or positions of the columns to read; None for all that are no index of pandas.
    """

    def __init__(self, files, columns=None):
        try:
            import pyarrow as pa
            import pyarrow.dataset
        except ImportError as error:
            message = 'Parquet files need pyarrow: pip install "fastclust[tables]"'
            raise ImportError(message) from error
        is_dataset = isinstance(files, pa.dataset.Dataset)
        if not is_dataset and not isinstance(files, list):
            raise TypeError(f"rows must be a path or a dataset of pyarrow, not {type(files)}")
        try:
            self._dataset = files if is_dataset else _dataset_of(files)
        except pa.ArrowInvalid as error:
            raise ValueError(f"{files[0]}: {error}") from None
        schema = self._dataset.schema
        self._names = names = _chosen_names(schema, columns)
        self.feature_names = names
        types = [schema.field(name).type for name in names]
        for name, kind in zip(names, types, strict=True):
            as_numbers(pa.chunked_array([[]], type=kind), f"column {name!r}")  # or an error
        self.n_features = len(types)
        is_float32 = all(kind == pa.float32() for kind in types)
        self.dtype = np.dtype(np.float32 if is_float32 else np.float64)
        self._fragments = list(self._dataset.get_fragments())  # a filter is an error
        lengths = [fragment.count_rows() for fragment in self._fragments]
        paths = [getattr(fragment, "path", None) for fragment in self._fragments]
        filesystem = getattr(self._dataset, "filesystem", None)
        if filesystem is not None and filesystem.type_name != "local":
            paths = [None] * len(paths)
        super().__init__(paths, lengths)

    def header(self):
        """No rows, with the names of the columns, if they have any."""
        if self.feature_names is None:
            return super().header()
        return self._dataset.schema.empty_table().select(self.feature_names)

    def _read_part(self, number, first_row):
        """Yield arrays of consecutive rows of a fragment from this row of it on."""
        fragment = self._fragments[number]
        batch_rows = max(1, BATCH_BYTES // max(1, self.n_features * self.dtype.itemsize))
        read = self._read_parquet if self._is_parquet(fragment) else self._scan
        try:
            for batch, first in read(fragment, first_row, batch_rows):
                if first < batch.num_rows:
                    yield self._rows_of(batch.slice(first))
        except (OSError, ValueError) as error:  # pyarrow's do not name the file
            path = self._paths[number] or "The dataset"
            raise ValueError(f"{path}: {' '.join(str(error).split())}") from error

    def _rows_of(self, batch):
        """Rows of a batch as an array."""
        rows = np.empty((batch.num_rows, self.n_features), dtype=self.dtype)
        for f, column in enumerate(batch.columns):
            rows[:, f] = as_numbers(column, f"column {self._names[f]!r}")
        return rows

    def _is_parquet(self, fragment):
        """Whether it is a Parquet file that has all columns: folders may be named by values too."""
        import pyarrow.dataset

        is_parquet = isinstance(fragment, pyarrow.dataset.ParquetFileFragment)
        return is_parquet and set(self._names) <= set(fragment.physical_schema.names)

    def _read_parquet(self, fragment, first_row, batch_rows):
        """Yield (batch, its first row that is wanted) of a file.

        A scan of the dataset would take several times the memory for files of large row groups.
        """
        import pyarrow.parquet

        options = {"pre_buffer": False, "buffer_size": BUFFER_BYTES}
        with fragment.open() as stream, pyarrow.parquet.ParquetFile(stream, **options) as file:
            groups = list(range(file.num_row_groups))
            while groups and first_row >= file.metadata.row_group(groups[0]).num_rows:
                first_row -= file.metadata.row_group(groups.pop(0)).num_rows
            batches = file.iter_batches(
                batch_rows, row_groups=groups, columns=self._names, use_threads=False
            )
            for batch in batches:
                yield batch.select(self._names), first_row
                first_row = max(0, first_row - batch.num_rows)

    def _scan(self, fragment, first_row, batch_rows):
        """Yield the same of any other part of a dataset."""
        batches = fragment.to_batches(
            schema=self._dataset.schema, columns=self._names, batch_size=batch_rows,
            batch_readahead=0, fragment_readahead=1, use_threads=False,
        )  # fmt: skip
        for batch in batches:
            yield batch, first_row
            first_row = max(0, first_row - batch.num_rows)


def column_names(files):
    """Names of the columns of Parquet files, but for those that are an index of pandas."""
    return _chosen_names(_dataset_of(files).schema, None)


def _dataset_of(files):
    """Dataset of Parquet files; OSError if one cannot be opened."""
    import pyarrow.dataset

    for file in files:
        open(file, "rb").close()  # its errors are shorter than pyarrow's
    return pyarrow.dataset.dataset(list(map(str, files)), format="parquet")


def _chosen_names(schema, columns):
    """Names of the columns chosen by names or positions."""
    if columns is None:
        index = index_columns(schema)
        columns = [name for name in schema.names if name not in index]
    numbered = dict(enumerate(schema.names))
    names = []
    for column in columns:
        name = column if isinstance(column, str) else numbered.get(column)
        n_columns = schema.names.count(name)
        if n_columns != 1:
            what = "more than one" if n_columns else "no"
            raise ValueError(f"{what} column {column!r}: there are {', '.join(schema.names)}")
        names.append(name)
    return names


def index_columns(schema):
    """Names of the columns that are an index of pandas by the metadata of a schema."""
    noted = (schema.pandas_metadata or {}).get("index_columns") or []
    return {name for name in noted if isinstance(name, str)}  # others describe a RangeIndex


def as_numbers(column, label):
    """Values of a column of numbers or booleans, NaN where they are missing.

    Parameters
    ----------
    column : pyarrow.Array or pyarrow.ChunkedArray
        The column.
    label : str
        What it is, for messages.

    Raises
    ------
    ValueError
        If it is neither.
    """
    import pyarrow as pa

    kind = pa.types
    if kind.is_dictionary(column.type):
        values = column.type.value_type
        if kind.is_string(values) or kind.is_large_string(values):
            raise ValueError(f"{label}: not numeric: {column.type}")
        return as_numbers(column.cast(values), label)
    if kind.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if kind.is_null(column.type) or kind.is_decimal(column.type):
        column = column.cast(pa.float64())
    if kind.is_integer(column.type) or kind.is_floating(column.type):
        if isinstance(column, pa.ChunkedArray):
            return column.to_numpy()
        return column.to_numpy(zero_copy_only=False)
    if kind.is_string(column.type) or kind.is_large_string(column.type):
        for row, value in enumerate(column.to_pylist(), start=1):
            try:
                float(value or "nan")
            except ValueError:
                raise ValueError(f"row {row}, {label}: not a number: {value[:40]!r}") from None
    raise ValueError(f"{label}: not numeric: {column.type}")
