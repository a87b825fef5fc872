# Databricks notebook source

# MAGIC %md
# MAGIC gap above

# COMMAND ----------

x = 1
