"""Everything that becomes a `Dataset`: files and folders, drawn worlds with known factors, public data."""
