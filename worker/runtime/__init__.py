"""The runtime of a worker: it claims jobs, watches their processes and heals what was lost."""
