"""The documentation site: what its generated pages are made of, and where its links lead."""
