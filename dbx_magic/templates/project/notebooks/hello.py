# Databricks notebook source
# MAGIC %md
# MAGIC # Hello
# MAGIC Edit this notebook in Jupyter. `%dbx push` puts it into the workspace, `%dbx commit -m "…"` into git.

# COMMAND ----------

dbutils.widgets.text("name", "world")
name = dbutils.widgets.get("name")

# COMMAND ----------

numbers = spark.range(1000).selectExpr("id", "id % 7 as remainder")
display(numbers.groupBy("remainder").count().orderBy("remainder"))

# COMMAND ----------

dbutils.notebook.exit(f"Hello {name}, {numbers.count()} numbers")
