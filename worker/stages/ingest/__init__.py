"""From an uploaded archive of class folders to stored images, as a process of its own.

The supervisor starts `python -P -m worker.stages.ingest.child SPEC.json`. The archive is hostile
until shown otherwise: its members are read one by one into memory and never written under a name
of theirs. Members are taken in the order of their paths, so that the same images give the
same samples, positions and content hash however they were packed.
"""
