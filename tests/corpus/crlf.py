# Databricks notebook source
# MAGIC %md
# MAGIC Windows
# MAGIC 
# MAGIC ends

# COMMAND ----------

x = 1

y = 2
