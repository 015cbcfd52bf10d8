"""From an uploaded file of predicted probabilities to checked arrays, as a process of its own.

The scorer starts `python -P -m worker.scores SPEC.json`. The file is hostile until shown otherwise:
what its headers announce is compared with its size and with our limits before anything is
allocated, and rows are checked as they come, so that memory grows only with good data. Nothing in
it is ever run or unpickled; a file that crashes a decoder crashes this process alone.
"""
