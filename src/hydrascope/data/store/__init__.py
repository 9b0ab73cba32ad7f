"""The packed store: windows on disk, one folder a machine and content."""
