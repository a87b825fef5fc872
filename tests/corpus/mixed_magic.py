# Databricks notebook source
# MAGIC %sql
select 1
# MAGIC from t

# COMMAND ----------

# a comment
# MAGIC %sql
# MAGIC select 2

# COMMAND ----------

# MAGICAL is a word
x = 1

# COMMAND ----------

# MAGIC %md
# MAGIC text

# forgot the mark
