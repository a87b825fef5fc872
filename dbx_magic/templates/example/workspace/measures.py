"""What we measure of penguins; a plain module, importable on the cluster and in tests."""


def heaviest(penguins):
    """Name the species with the highest average mass, and that mass in grams."""
    return largest(penguins.groupBy("species").avg("body_mass_g").collect())


def largest(means):
    """Give the pair of a name and a mean with the largest mean."""
    name, mean = max(means, key=lambda pair: pair[1])
    return name, mean
