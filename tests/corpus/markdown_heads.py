# Databricks notebook source
# MAGIC %md
# MAGIC # Water levels

# COMMAND ----------

# MAGIC %md ## Inline heading

# COMMAND ----------

# MAGIC %md   
# MAGIC spaces after the head

# COMMAND ----------

# MAGIC %md-sandbox
# MAGIC <b>bold</b> in a sandbox

# COMMAND ----------

# MAGIC %md

# COMMAND ----------

# MAGIC %md
# MAGIC ```python
# MAGIC print('a fence')
# MAGIC ```
# MAGIC  one space in front

# COMMAND ----------

# MAGIC  %md
# MAGIC the head has a space in front

# COMMAND ----------

# MAGIC %mdx is no markdown
