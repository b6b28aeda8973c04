"""Where work happens: the queue, the worker process, and studies of many runs."""
