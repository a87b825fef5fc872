# Databricks notebook source
# COMMAND -----------
# # COMMAND ----------
 #  COMMAND ----------
# COMMAND ---------- 
all_one_cell = True

# COMMAND ----------

# MAGIC %md
# MAGIC # COMMAND ----------
