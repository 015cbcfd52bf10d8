class Diverged(RuntimeError):  # noqa: N818 - names what happened; callers read `except Diverged`
    """The loss or the weights stopped being finite: this run cannot go on."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"training diverged in epoch {epoch}: the loss is not finite")
        self.epoch = epoch


class NotEnoughMemory(RuntimeError):  # noqa: N818 - as above
    """Memory does not suffice, however small the slices of a batch are."""

    def __init__(self, size: int, reason: str) -> None:
        super().__init__(f"not enough memory for {size} samples at once: {reason}")


class NonFiniteLoss(RuntimeError):  # noqa: N818 - as above
    """An epoch had too many steps without a finite loss: its weights are of no use."""
