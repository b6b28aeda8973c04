"""An examination of all rows of a data set: faults, memory, split and structure, for data too large for a page."""
