# Databricks notebook source
# MAGIC %md
# MAGIC # Floods

# COMMAND ----------

library(SparkR)
levels <- tableToDF('river.levels')

# COMMAND ----------

# MAGIC %python
# MAGIC print('from R')
