"""The parts of pages: page start and links, settings as widgets, jobs, code snippets, components."""
