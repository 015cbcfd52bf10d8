"""Names of the files that the supervisor's side leaves for the child."""

SAMPLES = "samples.jsonl"
LOG = "log.jsonl"
