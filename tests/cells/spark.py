# Databricks notebook source
# MAGIC %md
# MAGIC # Spark, SQL and what else Databricks has

# COMMAND ----------

spark.conf.set("spark.sql.shuffle.partitions", "1")

# COMMAND ----------

df = spark.range(5)

# COMMAND ----------

display(df)

# COMMAND ----------

df

# COMMAND ----------

df.show()

# COMMAND ----------

df.count()

# COMMAND ----------

df.collect()

# COMMAND ----------

df.printSchema()

# COMMAND ----------

df.schema

# COMMAND ----------

from pyspark.sql import functions as F, Row, types as T

# COMMAND ----------

people = spark.createDataFrame([("Ada", 36, 1.5), ("Bob", None, 2.5), ("Cy", 7, None)], "name string, age int, score double")
display(people)

# COMMAND ----------

display(people.filter("age > 10"))

# COMMAND ----------

display(people.groupBy().agg(F.avg("age").alias("mean"), F.max("score").alias("best")))

# COMMAND ----------

people.select("name", F.upper("name").alias("upper")).show(truncate=False)

# COMMAND ----------

people.toPandas()

# COMMAND ----------

display(people.toPandas())

# COMMAND ----------

import pandas as pd
pd.DataFrame({"a": [1, 2], "b": ["x", None]})

# COMMAND ----------

pd.Series([1.5, 2.5], name="s")

# COMMAND ----------

display(pd.DataFrame({"when": pd.to_datetime(["2024-01-01", "2024-06-30"]), "n": [1, 2]}))

# COMMAND ----------

people.createOrReplaceTempView("people")

# COMMAND ----------

# MAGIC %sql
# MAGIC select * from people order by name

# COMMAND ----------

# MAGIC %sql select count(*) as n from people

# COMMAND ----------

# MAGIC %sql
# MAGIC -- a comment; with a semicolon
# MAGIC select name from people where age is null

# COMMAND ----------

# MAGIC %sql
# MAGIC create or replace temporary view adults as select * from people where age >= 18;
# MAGIC select * from adults

# COMMAND ----------

_sqldf

# COMMAND ----------

_sqldf.count()

# COMMAND ----------

# MAGIC %sql
# MAGIC select * from no_such_table_anywhere

# COMMAND ----------

# MAGIC %sql
# MAGIC selec 1

# COMMAND ----------

# MAGIC %sql
# MAGIC select 1 as `a b`, 'it''s' as c, "double; quoted" as d

# COMMAND ----------

# MAGIC %sql
# MAGIC select array(1, 2, null) as a, map('k', 1) as m, named_struct('x', 1, 'y', 'z') as s

# COMMAND ----------

# MAGIC %sql
# MAGIC select cast(1.10 as decimal(5,2)) as d, date'2024-02-29' as day, timestamp'2024-01-02 03:04:05.678' as at, X'00ff' as b, true as t, 9007199254740993 as big, double('NaN') as nan

# COMMAND ----------

# MAGIC %sql show databases

# COMMAND ----------

# MAGIC %sql describe people

# COMMAND ----------

# MAGIC %sql
# MAGIC explain select 1

# COMMAND ----------

# MAGIC %sql
# MAGIC set spark.sql.shuffle.partitions = 2

# COMMAND ----------

spark.sql("select 1 as one").show()

# COMMAND ----------

display(spark.sql("select id, id % 3 as g from range(10)").groupBy("g").count().orderBy("g"))

# COMMAND ----------

display(spark.range(1500))

# COMMAND ----------

display(spark.range(12000))

# COMMAND ----------

display(spark.range(0))

# COMMAND ----------

display(spark.createDataFrame([], "a int, b string"))

# COMMAND ----------

display(spark.range(2).select(F.lit("<b>not html</b>").alias("<h1>"), F.lit("a\nb").alias("lines"), F.lit("x" * 300).alias("long")))

# COMMAND ----------

display(people.withColumn("tags", F.array(F.lit("a"), F.lit("b"))))

# COMMAND ----------

display([Row(a=1, b="x"), Row(a=2, b="y")])

# COMMAND ----------

display("a string")

# COMMAND ----------

display(df, people)

# COMMAND ----------

display(1, [2], {"three": 3})

# COMMAND ----------

sc.version.split(".")[0]

# COMMAND ----------

spark.version.startswith("4")

# COMMAND ----------

@F.udf("int")
def plus_one(n):
    return n + 1

display(df.select(plus_one(F.col("id").cast("int")).alias("n")))

# COMMAND ----------

df.select("no_such_column")

# COMMAND ----------

df.filter("nonsense ===").show()

# COMMAND ----------

spark.table("no_such_table")

# COMMAND ----------

spark.read.csv("dbfs:/no/such/folder").show()

# COMMAND ----------

people.write.mode("overwrite").parquet("dbfs:/tmp/remote_cells/people")

# COMMAND ----------

spark.read.parquet("dbfs:/tmp/remote_cells/people").orderBy("name").show()

# COMMAND ----------

spark.read.parquet("/tmp/remote_cells/people").count()

# COMMAND ----------

# MAGIC %fs mkdirs /tmp/remote_cells/made

# COMMAND ----------

dbutils.fs.put("/tmp/remote_cells/note.txt", "some text", True)

# COMMAND ----------

# MAGIC %fs head /tmp/remote_cells/note.txt

# COMMAND ----------

dbutils.fs.head("/tmp/remote_cells/note.txt")

# COMMAND ----------

[info.name for info in dbutils.fs.ls("/tmp/remote_cells")]

# COMMAND ----------

print(open("/dbfs/tmp/remote_cells/note.txt").read())

# COMMAND ----------

dbutils.fs.ls("/no/such/place")

# COMMAND ----------

# MAGIC %fs nonsense

# COMMAND ----------

dbutils.widgets.text("name", "world", "Who")
dbutils.widgets.dropdown("colour", "red", ["red", "green"])

# COMMAND ----------

dbutils.widgets.get("name")

# COMMAND ----------

f"hello {dbutils.widgets.get('colour')}"

# COMMAND ----------

# MAGIC %sql select :name as given, '${colour}' as colour

# COMMAND ----------

dbutils.widgets.get("not there")

# COMMAND ----------

dbutils.widgets.removeAll()

# COMMAND ----------

# MAGIC %sh echo from sh

# COMMAND ----------

# MAGIC %sh
# MAGIC for i in 1 2 3; do echo line $i; done
# MAGIC echo to stderr >&2

# COMMAND ----------

# MAGIC %sh false

# COMMAND ----------

# MAGIC %sh -e
# MAGIC exit 2

# COMMAND ----------

# MAGIC %sh cat /dbfs/tmp/remote_cells/note.txt

# COMMAND ----------

# MAGIC %md
# MAGIC ## Markdown with *emphasis*
# MAGIC
# MAGIC | a | b |
# MAGIC |---|---|
# MAGIC | 1 | 2 |

# COMMAND ----------

# MAGIC %md inline markdown

# COMMAND ----------

# MAGIC %md-sandbox
# MAGIC <div style="color: red">sandboxed</div>

# COMMAND ----------

# MAGIC %python
# MAGIC print("a header for Python")
# MAGIC 1 / 0

# COMMAND ----------

# MAGIC %python 40 + 2

# COMMAND ----------

# MAGIC %scala
# MAGIC val xs = Seq(1, 2, 3)
# MAGIC println(xs.sum)

# COMMAND ----------

# MAGIC %scala
# MAGIC xs.map(_ * 2)

# COMMAND ----------

# MAGIC %scala
# MAGIC spark.range(3).count()

# COMMAND ----------

# MAGIC %scala
# MAGIC val wrong: Int = "text"

# COMMAND ----------

# MAGIC %scala
# MAGIC throw new IllegalStateException("from Scala")

# COMMAND ----------

# MAGIC %sql
# MAGIC create or replace temporary view squares as select id, id * id as square from range(20)

# COMMAND ----------

squares = spark.table("squares")
display(squares.filter("square > 100"))

# COMMAND ----------

squares.agg({"square": "sum"}).first()[0]

# COMMAND ----------

row = squares.orderBy(F.desc("id")).first()
row.square, row["id"], row.asDict()

# COMMAND ----------

spark.createDataFrame([("2024-01-15",)], "d string").select(F.to_date("d"), F.year("d"), F.date_add("d", 20)).show()

# COMMAND ----------

spark.createDataFrame([('{"a": 1, "b": [1, 2]}',)], "j string").select(F.from_json("j", "a int, b array<int>").alias("p")).select("p.a", F.explode("p.b").alias("b")).show()

# COMMAND ----------

df.explain()

# COMMAND ----------

spark.conf.get("spark.sql.session.timeZone")

# COMMAND ----------

spark.catalog.currentDatabase()

# COMMAND ----------

sorted(spark.catalog.listTables(), key=lambda t: t.name)[0].name

# COMMAND ----------

table("people").count(), sql("select 7 as n").first().n

# COMMAND ----------

for row in people.orderBy("name").toLocalIterator():
    print(row.name, row.age)

# COMMAND ----------

def summarise(frame):
    for name, kind in frame.dtypes:
        print(f"{name:<8}{kind}")

summarise(people)

# COMMAND ----------

# MAGIC %sql
# MAGIC with t as (select id % 4 as k, id from range(40))
# MAGIC select k, count(*) as n, sum(id) as s from t group by k order by k

# COMMAND ----------

# MAGIC %sql
# MAGIC select * from values (1, 'a'), (2, 'b'), (null, null) as t(n, s)

# COMMAND ----------

# MAGIC %sql
# MAGIC drop view if exists adults;
# MAGIC drop view if exists squares

# COMMAND ----------

gone = dbutils.fs.rm("/tmp/remote_cells", True)

# COMMAND ----------

import dbruntime
sorted(name for name in dir(dbutils) if not name.startswith("_"))[:3]

# COMMAND ----------

len(df.columns), df.dtypes

# COMMAND ----------

df.limit(2).collect()[1].id

# COMMAND ----------

people.first()

# COMMAND ----------

people.orderBy("name").head(2)

# COMMAND ----------

people.take(1)[0]["name"]

# COMMAND ----------

people.columns

# COMMAND ----------

[row.name for row in people.sort("name").collect()]

# COMMAND ----------

people.rdd.getNumPartitions() > 0

# COMMAND ----------

print(people)

# COMMAND ----------

str(people.schema["age"].dataType), people.schema.fieldNames()

# COMMAND ----------

dbutils.secrets.listScopes()[:0]

# COMMAND ----------

# MAGIC %md last words

# COMMAND ----------

dbutils.notebook.exit("the end")
