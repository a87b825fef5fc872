# Databricks notebook source
progress = 'ab'

# COMMAND ----------

# MAGIC %md
# MAGIC onetwo
