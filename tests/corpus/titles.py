# Databricks notebook source
# DBTITLE 1,Read the gauges
read()

# COMMAND ----------

# DBTITLE 0,hidden, with commas, two
x = 1

# COMMAND ----------

# DBTITLE 1,  spaces around  
# MAGIC %md
# MAGIC titled text

# COMMAND ----------

# DBTITLE 1,“Ünïcode” & <tags> 'quoted'
y = 2

# COMMAND ----------

# written above the title
# DBTITLE 1,not a title here
z = 3

# COMMAND ----------

# DBTITLE 2,no such flag
z = 4

# COMMAND ----------

# DBTITLE 1,
without_words = True

# COMMAND ----------

# DBTITLE 1,nothing below

# COMMAND ----------

# DBTITLE 1,an empty line below

