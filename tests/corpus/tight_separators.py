# Databricks notebook source
a = 1
# COMMAND ----------
b = 2
# COMMAND ----------



c = 3



# COMMAND ----------
# COMMAND ----------
# MAGIC %md tight
