def test_placeholder() -> None:
    import shared_testing

    assert shared_testing.__all__
