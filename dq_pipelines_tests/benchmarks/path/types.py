"""The types of lineitem's columns; one that is not named is text."""

from __future__ import annotations

TYPES = {
    "l_orderkey": "int64", "l_partkey": "int64", "l_suppkey": "int64", "l_linenumber": "int32",
    "l_quantity": "decimal(15,2)", "l_extendedprice": "decimal(15,2)", "l_discount": "decimal(15,2)",
    "l_tax": "decimal(15,2)", "l_shipdate": "date", "l_commitdate": "date", "l_receiptdate": "date",
}  # fmt: skip
