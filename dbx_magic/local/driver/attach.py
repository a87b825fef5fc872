"""Attach this process to the cluster's Spark, with a session of its own."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def attach() -> SparkSession:
    """The session of this context: temporary views and settings are its own, tables are shared."""
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.logger import PySparkLogger
    from pyspark.sql import SparkSession

    before = signal.getsignal(signal.SIGINT)
    gateway = launch_gateway()  # finds port and secret in the environment
    for name in ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"):
        del os.environ[name]  # not for the programs that cells start
    jvm = gateway.jvm
    java_context = jvm.JavaSparkContext.fromSparkContext(
        jvm.org.apache.spark.SparkContext.getOrCreate()
    )
    conf = SparkConf(_jvm=jvm, _jconf=java_context.getConf())
    context = SparkContext(conf=conf, gateway=gateway, jsc=java_context)
    # pyspark's own handler cancels the jobs of everybody on this cluster.
    signal.signal(signal.SIGINT, before)
    # What it says about an interrupt is for its authors.
    logging.getLogger().addFilter(lambda record: "py4j" not in record.pathname)
    # Spark repeats every failed query there as JSON; the user has it in the cell already.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True
    root = jvm.org.apache.spark.sql.classic.SparkSession.builder().getOrCreate()
    return SparkSession(context, jsparkSession=root.newSession())
