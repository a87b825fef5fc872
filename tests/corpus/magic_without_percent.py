# Databricks notebook source
# MAGIC x = 1
# MAGIC y = 2

# COMMAND ----------

# MAGIC # only a comment

# COMMAND ----------

# MAGIC !ls

# COMMAND ----------

# MAGIC # DBTITLE 1,inside
