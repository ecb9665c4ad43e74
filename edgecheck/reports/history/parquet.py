"""Results over time as a Parquet file, by pyarrow: the columns of the CSV, with numbers and times as such."""

from __future__ import annotations

from datetime import datetime

from edgecheck.core.creep import Trend
from edgecheck.core.history import Key
from edgecheck.reports.history.csv_table import COLUMNS, unit_of


def render(trends: tuple[Trend, ...]) -> bytes:
    """The file's bytes.

    Raises:
        ImportError: pyarrow is not installed.
    """
    import pyarrow as pa
    from pyarrow import parquet

    columns: dict[str, list[object]] = {name: [] for name in COLUMNS}
    for trend in trends:
        key = trend.series.key._asdict()
        unit = unit_of(trend.series.key.metric)
        for one in trend.series.readings:
            row = {**one._asdict(), **key, "unit": unit, "at": datetime.fromisoformat(one.at)}
            for name in COLUMNS:
                columns[name].append(row[name])
    texts = ("commit", "branch", *Key._fields, "unit", "status")
    types = {
        **{name: pa.dictionary(pa.int32(), pa.string()) for name in texts},
        "at": pa.timestamp("s", tz="UTC"),
        "value": pa.float64(),
        "limit": pa.float64(),
    }
    table = pa.table({name: pa.array(columns[name]).cast(types[name]) for name in COLUMNS})
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return bytes(sink.getvalue())
