"""What pages are made of: their start and links, settings as widgets, jobs, shown code, components."""
