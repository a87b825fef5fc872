# Databricks notebook source
# MAGIC %sql
# MAGIC select station, max(level) from river.levels group by 1

# COMMAND ----------

# MAGIC %sql select 1

# COMMAND ----------

# MAGIC %run ./setup

# COMMAND ----------

# MAGIC %run "../shared/setup" $reset="true"

# COMMAND ----------

# MAGIC %pip install tides==1.0

# COMMAND ----------

# MAGIC %sh
# MAGIC ls -l /tmp

# COMMAND ----------

# MAGIC %fs ls /databricks-datasets

# COMMAND ----------

# MAGIC %scala
# MAGIC val high = 5.2

# COMMAND ----------

# MAGIC %r
# MAGIC low <- 1.5

# COMMAND ----------

# MAGIC %python
# MAGIC explicit = 'own language'

# COMMAND ----------

# MAGIC %py
# MAGIC short = True

# COMMAND ----------

# MAGIC %load_ext autoreload

# COMMAND ----------

# MAGIC %%writefile note.txt
# MAGIC kept

# COMMAND ----------

# MAGIC %%time
# MAGIC levels.count()
