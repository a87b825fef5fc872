"""How far the columns of windows are from what they are compared with, as a query of Spark SQL.

Numbers fall into the deciles of what they are compared with, and a value that is many of its
deciles into a place of its own, as does what is below all of it or above; texts and booleans fall
on its frequent values, and all others on one. Nulls and NaN fall nowhere.
"""

from __future__ import annotations

_LEAST = "1e-4D"  # the share that an empty place counts as, in the population stability index

# Where a value falls: a number between two deciles, in order, and a text on its rank.
_PLACE = """case
      when number < deciles[0] then -1
      when number is not null then 2 * size(filter(deciles, it -> it < number))
        + if(size(filter(deciles, it -> it = number)) > 1, 1, 0)
      else cast(array_position(items, text) as int)
    end"""


def distances(profile: str, pairs: str, reference: str, ours: str, theirs: str) -> str:
    """A query with a row of Databricks' drift metrics for each window and column.

    Args:
        profile: A query with the statistics of the windows.
        pairs: A query with ``window``, and ``compared``, the window of what it is compared with.
        reference: A query with the statistics of what they are compared with.
        ours: A query with the cells of the windows.
        theirs: A query with the cells of what they are compared with.
    """
    return f"""
with profile as ({profile}), pairs as ({pairs}), reference as ({reference}),
places as (
  select window as compared, column_name, transform(frequent_items, it -> it.item) as items,
    filter(quantiles, (it, number) -> number % 10 = 0) as deciles
  from reference where quantiles is not null or frequent_items is not null
),
fallen as (
  select pairs.window, cells.column_name, {_PLACE} as place, 1 as ours, 0 as theirs
  from ({ours}) as cells join pairs on cells.window = pairs.window
  join places on pairs.compared = places.compared and cells.column_name = places.column_name
  union all
  select pairs.window, found.column_name, place, 0 as ours, theirs
  from (
    select cells.window, cells.column_name, {_PLACE} as place, count(*) as theirs
    from ({theirs}) as cells
    join places on cells.window = places.compared and cells.column_name = places.column_name
    group by cells.window, cells.column_name, place
  ) as found join pairs on found.window = pairs.compared
),
shares as (
  select *, ours / nullif(sum(ours) over every, 0) as p, theirs / sum(theirs) over every as q,
    sum(ours) over every as all_ours, sum(theirs) over every as all_theirs
  from (
    select window, column_name, place, sum(ours) as ours, sum(theirs) as theirs
    from fallen where place is not null group by window, column_name, place
  ) window every as (partition by window, column_name)
),
steps as (
  select *, (p + q) / 2 as m,
    abs(sum(p - q) over (partition by window, column_name order by place)) as gap
  from shares
),
distances as (
  select window, column_name,
    sqrt(sum(coalesce(p * log2(p / m), 0D) + coalesce(q * log2(q / m), 0D)) / 2) as js_distance,
    max(gap) as gap,
    sum((greatest(p, {_LEAST}) - greatest(q, {_LEAST}))
      * ln(greatest(p, {_LEAST}) / greatest(q, {_LEAST}))) as population_stability_index,
    max(all_ours) * max(all_theirs) * sum((p - q) * (p - q) / (ours + theirs)) as chi_squared,
    sum(abs(p - q)) / 2 as tv_distance, max(abs(p - q)) as l_infinity_distance
  from steps where all_ours > 0 and all_theirs > 0 group by window, column_name
)
select pairs.window, pairs.compared, profile.column_name, profile.data_type,
  profile.count - reference.count as count_delta, profile.avg - reference.avg as avg_delta,
  profile.percent_null - reference.percent_null as percent_null_delta,
  profile.percent_zeros - reference.percent_zeros as percent_zeros_delta,
  profile.percent_distinct - reference.percent_distinct as percent_distinct_delta,
  if(profile.non_null_columns is null, null, named_struct(
    'added', size(array_except(profile.non_null_columns, reference.non_null_columns)),
    'missing', size(array_except(reference.non_null_columns, profile.non_null_columns))
  )) as non_null_columns_delta,
  js_distance,
  if(profile.quantiles is null or gap is null, null,
    named_struct('statistic', gap, 'pvalue', cast(null as double))) as ks_test,
  aggregate(zip_with(profile.quantiles, reference.quantiles, (a, b) -> abs(a - b)), 0D,
    (sum, it) -> sum + it, sum -> sum / size(profile.quantiles)) as wasserstein_distance,
  population_stability_index,
  if(chi_squared is null, null,
    named_struct('statistic', chi_squared, 'pvalue', cast(null as double))) as chi_squared_test,
  tv_distance, l_infinity_distance
from pairs join profile on pairs.window = profile.window
join reference on pairs.compared = reference.window
  and profile.column_name = reference.column_name
left join distances on pairs.window = distances.window
  and profile.column_name = distances.column_name"""
