"""Writes a data set as one file for another tool.

A process of its own: `python -P -m worker.stages.export.child SPEC`. It reads rows that its host
left, and images from the blob store, both in streams: its memory does not grow with the data set.
"""
