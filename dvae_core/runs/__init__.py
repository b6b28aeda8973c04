"""A run is a folder: the one thing that training writes and everything else reads."""

from dvae_core.runs.run import (
    FORMAT,
    SEALED,
    BusyError,
    Run,
    RunError,
    Status,
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
    study_folder,
    told,
)

__all__ = [
    "FORMAT", "SEALED", "BusyError", "Run", "RunError", "Status", "clean_title", "create", "default_store", "delete",
    "examples", "examples_folder", "find", "list_runs", "new_path", "rename", "repair", "study_folder", "told",
]  # fmt: skip
