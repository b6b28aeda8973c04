"""Work on runs: the queue, the worker process, and studies of many runs."""
