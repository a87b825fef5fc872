# Databricks notebook source
# MAGIC %md
# MAGIC # Penguins of the Palmer Archipelago
# MAGIC How large and heavy is each species? One island or all of them: the widget `island` decides.

# COMMAND ----------

dbutils.widgets.text("island", "all")
island = dbutils.widgets.get("island")

# COMMAND ----------

# DBTITLE 1,The data travels in the package palmerpenguins, a library of this cluster
from palmerpenguins import load_penguins

penguins = spark.createDataFrame(load_penguins().dropna())
if island != "all":
    penguins = penguins.where(penguins.island == island)
penguins.createOrReplaceTempView("penguins")

# COMMAND ----------

# MAGIC %sql
# MAGIC select species, count(*) as penguins, round(avg(body_mass_g)) as mass_g,
# MAGIC        round(avg(flipper_length_mm)) as flipper_mm
# MAGIC from penguins group by species order by mass_g desc

# COMMAND ----------

# DBTITLE 1,A plain module that sits beside the notebook
from measures import heaviest

species, mass = heaviest(penguins)
print(f"The heaviest on {island}: {species}, {mass:.0f} g on average")

# COMMAND ----------

import json

dbutils.notebook.exit(json.dumps({"penguins": penguins.count(), "heaviest": species}))
