# Databricks notebook source
# MAGIC %python
# MAGIC text = '''
# MAGIC # COMMAND ----------
# MAGIC '''

# COMMAND ----------

# MAGIC %python
# MAGIC # DBTITLE 1,no title

# COMMAND ----------

# MAGIC %python
# MAGIC # MAGIC %md

# COMMAND ----------

# MAGIC %python
# MAGIC # /// script

# COMMAND ----------

# MAGIC %python
# MAGIC nothing to escape
