"""A run is a folder: the one thing that training writes and everything else reads."""

from dvae_core.runs.run import FORMAT, BusyError, Run, RunError, Status, os_errors_as_run_errors
from dvae_core.runs.store import (
    clean_title,
    create,
    default_store,
    delete,
    examples,
    examples_folder,
    find,
    list_runs,
    new_path,
    rename,
    repair,
    shipped,
    unlisted_run,
)

__all__ = [
    "FORMAT", "BusyError", "Run", "RunError", "Status", "clean_title", "create", "default_store", "delete", "examples",
    "examples_folder", "find", "list_runs", "new_path", "os_errors_as_run_errors", "rename", "repair", "shipped",
    "unlisted_run",
]  # fmt: skip
