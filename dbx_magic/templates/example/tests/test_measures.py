"""The pipeline runs these before it deploys anything; they need no Spark."""

from measures import largest


def test_the_largest_mean_decides():
    means = [("Adelie", 3706.2), ("Gentoo", 5092.4), ("Chinstrap", 3733.1)]
    assert largest(means) == ("Gentoo", 5092.4)
