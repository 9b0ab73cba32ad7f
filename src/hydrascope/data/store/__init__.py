"""The packed store of windows on disk, with one folder per machine and content."""
