# Databricks notebook source
# MAGIC %md
# MAGIC <!-- jupyter:raw -->
# MAGIC kept as it is

# COMMAND ----------

# MAGIC %md
# MAGIC <!-- jupyter:raw text/restructuredtext -->
# MAGIC ====

# COMMAND ----------

# MAGIC %md
# MAGIC <!-- jupyter:raw -->

# COMMAND ----------

# MAGIC %md not first <!-- jupyter:raw -->
