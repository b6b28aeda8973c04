"""From runs to tables and arrays: `read` (light, for pages) and `compute` (torch, for workers)."""
