from app.web.views.audit_report import NUM_CLASSES, NUM_SHADES, HeatMap, Pair


def _pair(given: str, suggested: str, count: int) -> Pair:
    return Pair(given=given, suggested=suggested, count=count)


def test_rows_are_given_labels_and_columns_what_they_look_like() -> None:
    map_ = HeatMap.of([_pair("dog", "cat", 9), _pair("cat", "bird", 1)])
    assert map_.classes == ["bird", "cat", "dog"]
    counts = [[cell.count for cell in row] for row in map_.rows]
    assert counts == [[0, 0, 0], [1, 0, 0], [0, 9, 0]]
    assert (map_.rows[2][1].given, map_.rows[2][1].suggested) == ("dog", "cat")


def test_shades_grow_with_the_root_and_only_none_has_none() -> None:
    map_ = HeatMap.of([_pair("a", "b", 10_000), _pair("b", "a", 1), _pair("a", "c", 1000)])
    shades = {(cell.given, cell.suggested): cell.shade for row in map_.rows for cell in row}
    assert shades["a", "b"] == NUM_SHADES
    assert shades["a", "c"] == 2
    assert shades["b", "a"] == 1
    assert shades["c", "a"] == 0


def test_only_the_classes_with_the_most_suspects_have_a_place() -> None:
    pairs = [_pair(f"c{place:02}", "sink", 100 - place) for place in range(30)]
    map_ = HeatMap.of(pairs)
    assert map_.classes == [*(f"c{place:02}" for place in range(NUM_CLASSES - 1)), "sink"]
    assert map_.num_left_out == 30 - (NUM_CLASSES - 1)


def test_nothing_found_is_an_empty_table() -> None:
    assert HeatMap.of([]) == HeatMap([], [], 0)
