# Databricks notebook source


x = 1

# COMMAND ----------

y = 2




# COMMAND ----------




# COMMAND ----------

# MAGIC
# MAGIC %sql
# MAGIC select 1
# MAGIC

# COMMAND ----------

   
z = 3
	
