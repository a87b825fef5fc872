# Databricks notebook source
a = '  '
b = ''
c = ''

# COMMAND ----------

# MAGIC %md
# MAGIC 🌊 Wasserstände täglich
# MAGIC next

# COMMAND ----------

# DBTITLE 1,🌊   title
d = 1
