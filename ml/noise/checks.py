"""What every kind of noise asks of its parameters."""


def check_rate(rate: float) -> None:
    """Raise `ValueError` unless the rate is in [0, 1]."""
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"a noise rate must be between 0 and 1, not {rate!r}")


def check_has_others(num_classes: int) -> None:
    """Raise `ValueError` when there is no other class to move a label to."""
    if num_classes < 2:
        raise ValueError("this noise needs at least two classes")
