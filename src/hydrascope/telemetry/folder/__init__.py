"""A folder of Parquet or CSV files: what `ParquetSource` and the check are made of."""
