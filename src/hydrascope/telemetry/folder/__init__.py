"""Reading of folders of Parquet or CSV files, for `ParquetSource` and the check."""
