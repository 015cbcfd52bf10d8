import numpy as np

import ml


def looks(num_samples: int, num: int, seed: int = 0) -> ml.FirstLook:
    p_N = np.linspace(0.9, 0.0, num_samples)
    spread_N = np.where(np.arange(num_samples) < num_samples // 10, 0.3, 0.001)
    may_choose_N = np.ones(num_samples, dtype=np.bool_)
    rng = np.random.default_rng(seed)
    return ml.choose_first_look(p_N, spread_N, may_choose_N, rng, num=num)


def test_every_second_one_is_by_chance_and_none_comes_twice() -> None:
    found = looks(1_000, 31)
    assert found.by_chance.tolist() == [place % 2 == 0 for place in range(31)]
    assert len(set(found.index.tolist())) == 31


def test_chance_takes_each_sample_as_often_and_spreads_over_the_ranking() -> None:
    count_N = np.zeros(20)
    for seed in range(2_000):
        found = looks(20, 10, seed)
        count_N[found.index[found.by_chance]] += 1
    # 5 of 20, with a standard deviation of .01.
    assert np.abs(count_N / 2_000 - 0.25).max() < 0.05
    index = looks(1_000, 40).index[::2]
    assert np.histogram(index, bins=4, range=(0, 1_000))[0].min() >= 4


def test_the_others_are_those_on_which_the_hypotheses_differ() -> None:
    found = looks(1_000, 40)
    assert (found.index[~found.by_chance] < 100).mean() > 0.9


def test_what_is_verified_or_not_judged_is_left_out() -> None:
    p_N = np.array([0.9, np.nan, 0.5, 0.1])
    may_choose_N = np.array([True, True, False, True])
    rng = np.random.default_rng(0)
    found = ml.choose_first_look(p_N, np.full(4, 0.1), may_choose_N, rng)
    assert sorted(found.index.tolist()) == [0, 3]


def test_there_may_be_nothing_to_look_at() -> None:
    none_N = np.zeros(3, dtype=np.bool_)
    rng = np.random.default_rng(0)
    assert len(ml.choose_first_look(np.zeros(3), np.zeros(3), none_N, rng).index) == 0
