import pytest

from app.jobs import schemas
from ml import METHODS, PRESETS, SIGNALS
from ml.training.methods import Correction, Mixing, Target, get_method


def test_the_service_offers_exactly_the_methods_presets_and_signals_there_are() -> None:
    assert list(schemas.Method) == list(METHODS)
    assert set(schemas.Preset) == {"auto", *PRESETS}
    assert list(schemas.Signal) == list(SIGNALS)


def test_every_method_of_the_paper_is_there_and_differs_from_the_others() -> None:
    names = "ce mixup st-s st-h dy-s dy-h dy-gmm m-dyr-s m-dyr-h md-dyr-h md-dyr-sh"
    assert list(METHODS) == names.split()
    assert len(set(METHODS.values())) == len(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_the_name_says_what_a_method_does(name: str) -> None:
    method = get_method(name)
    is_dynamic = any(part in name for part in ("dy-", "dyr"))
    assert (method.correction is Correction.DYNAMIC) == is_dynamic
    assert (method.correction is Correction.STATIC) == name.startswith("st-")
    assert method.regularise == ("dyr" in name)
    assert (method.mixing is Mixing.DYNAMIC) == name.startswith("md-")
    assert (method.mixing is Mixing.STATIC) == (name == "mixup" or name.startswith("m-"))
    assert (method.mixture_kind == "gaussian") == name.endswith("gmm")
    if name.endswith("-s"):
        assert method.target is Target.SOFT


@pytest.mark.parametrize("name", METHODS)
def test_warm_up_neither_corrects_nor_needs_a_noise_model(name: str) -> None:
    method = get_method(name)
    warm_up = method.warm_up()
    assert warm_up.correction is Correction.NONE
    assert not warm_up.regularise
    assert not warm_up.uses_noise_model
    assert (warm_up.mixing is Mixing.NONE) == (method.mixing is Mixing.NONE)
