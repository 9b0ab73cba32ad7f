"""A plant on this machine: a dozen rigs, their database, watch, service and page (`make demo`)."""
