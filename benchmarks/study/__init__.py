"""Methods x noise x seeds on data whose labels are right, as the paper does it.

Every cell of the grid is a process of its own and one file when it is finished, so a study can be
ended at any moment and continues where it was.
"""
