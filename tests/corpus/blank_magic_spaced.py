# Databricks notebook source
# MAGIC %md
# MAGIC Above
# MAGIC 
# MAGIC below
# MAGIC 

# COMMAND ----------

flood = level > 5

# COMMAND ----------

# MAGIC %sql
# MAGIC 
# MAGIC select 1
