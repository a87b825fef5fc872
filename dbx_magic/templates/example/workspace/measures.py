"""What we measure of penguins; a plain module, importable on the cluster and in tests."""


def heaviest(penguins):
    """Name the species with the highest average mass, and that mass in grams."""
    means = penguins.groupBy("species").avg("body_mass_g").collect()
    top = max(means, key=lambda row: row[1])
    return top[0], top[1]
