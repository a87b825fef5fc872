# Databricks notebook source
x = 1

# COMMAND ----------

y = 2

# COMMAND ----------

# MAGIC %md
# MAGIC mixed
# MAGIC
# MAGIC end
