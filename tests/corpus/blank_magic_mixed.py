# Databricks notebook source
# MAGIC %md
# MAGIC a
# MAGIC 
# MAGIC b
# MAGIC
# MAGIC c

# COMMAND ----------

# MAGIC %md
# MAGIC
# MAGIC d

# COMMAND ----------

# MAGIC %md
# MAGIC  
# MAGIC one space above
