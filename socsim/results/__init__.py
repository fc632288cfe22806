"""What came out: rows, tables, traces, pictures and output directories."""
