"""From an uploaded file of predicted probabilities to findings.

The child starts `python -P -m worker.stages.score.reader SPEC.json`. The file is hostile until
shown otherwise: the reader compares what its headers announce with its size and with our limits
before it allocates anything, and checks rows as they come, so that memory grows only with good
data. Nothing in the file is ever run or unpickled; a file that crashes a decoder crashes only the
reader.
"""
