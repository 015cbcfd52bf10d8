"""Writes a data set as one file for another tool.

A process of its own: `python -P -m worker.exporter SPEC`. It reads rows that its supervisor left
and images from the blob store, both in streams, so its memory does not grow with the data set.
"""
