"""Reads a parquet export with pyarrow and with DuckDB: FILE. Prints one line of JSON for each, {"reader", "columns", "rows"}."""

import json
import sys

import duckdb
import pyarrow.parquet

(file,) = sys.argv[1:]


def show(reader: str, columns: list, rows: list) -> None:
    print(json.dumps({"reader": reader, "columns": columns, "rows": rows}))


table = pyarrow.parquet.read_table(file)
show("pyarrow", table.column_names, [list(row.values()) for row in table.to_pylist()])

found = duckdb.connect().execute("select * from read_parquet(?)", [file])
show("duckdb", [column[0] for column in found.description], [list(row) for row in found.fetchall()])
