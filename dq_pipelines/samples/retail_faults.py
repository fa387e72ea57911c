"""Lists the faults of the retail sample, one line per kind.

The shares within a table differ, so that a test notices a count under the wrong rule.
"""

from __future__ import annotations

import polars as pl

from dq_pipelines.samples.fault_injection import FaultKind

#: Shares of the table's rows, in 10,000.
CUSTOMERS = (
    FaultKind("bad_email", "expect_column_values_to_match_regex", "email", "quarantined", 300,
         {"email": pl.col("email").str.replace("@", " at ")}),
    FaultKind("no_name", "expect_column_values_to_not_be_null", "name", "quarantined", 200, {"name": pl.lit(None)}),
    FaultKind("shared_id", "expect_column_values_to_be_unique", "customer_id", "quarantined", 134,
         {"name": pl.lit("Somebody Else")}, repeated=True, found_each=2),
    FaultKind("born_after_joining", "expect_column_pair_values_a_to_be_greater_than_b", "", "quarantined", 100,
         {"born": pl.col("joined").dt.offset_by("1y")}),
    FaultKind("unknown_country", "expect_column_values_to_be_in_set", "country", "published", 167,
         {"country": pl.lit("XX")}),
)  # fmt: skip

PRODUCTS = (
    FaultKind("negative_price", "expect_column_values_to_be_between", "price", "quarantined", 250,
         {"Price": "-" + pl.col("Price"), "Cost": "-" + pl.col("Price")}),
    FaultKind("price_as_text", "cast", "price", "quarantined", 170, {"Price": pl.lit("on request")}),
    FaultKind("no_name", "expect_column_values_to_not_be_null", "name", "quarantined", 90, {"Name": pl.lit(None)}),
    FaultKind("bad_barcode", "expect_column_values_to_match_regex", "barcode", "quarantined", 340,
         {"Barcode": pl.col("Barcode").str.head(12)}),
    FaultKind("sold_below_cost", "expect_column_pair_values_a_to_be_greater_than_b", "", "published", 420,
         {"Cost": "9" + pl.col("Price")}),
)  # fmt: skip

SALES = (
    FaultKind("no_customer", "expect_column_values_to_not_be_null", "customer_id", "published", 48,
         {"Customer": pl.lit(None)}),
    FaultKind("unknown_customer", "expect_column_values_to_exist_in", "customer_id", "published", 20,
         {"Customer": pl.lit("999999")}),
    FaultKind("unknown_product", "expect_column_values_to_exist_in", "product_id", "quarantined", 34,
         {"Product": pl.lit("P9999")}),
    FaultKind("negative_amount", "expect_column_values_to_be_between", "amount", "quarantined", 29,
         {"Unit Price": "-" + pl.col("Unit Price"), "Amount": "-" + pl.col("Amount")}),
    FaultKind("no_quantity", "expect_column_values_to_be_between", "quantity", "quarantined", 22,
         {"Quantity": pl.lit("0"), "Amount": pl.lit("0.00")}),
    FaultKind("clock_reset", "expect_column_values_to_be_between", "sold_at", "quarantined", 17,
         {"Sold At": pl.lit("01/01/1970 00:00:17")}),
    FaultKind("wrong_total", "expect_rows_sql", "", "quarantined", 24, {"Amount": "1" + pl.col("Amount")}),
    FaultKind("unknown_payment", "expect_column_values_to_be_in_set", "payment", "quarantined", 31,
         {"Payment": pl.lit("cheque")}),
    FaultKind("unparsable_date", "cast", "sold_at", "quarantined", 36, {"Sold At": pl.lit("31/02/2026 12:00:00")}),
    FaultKind("unparsable_amount", "cast", "amount", "quarantined", 27,
         {"Amount": pl.col("Amount").str.replace(".", ",", literal=True)}),
    FaultKind("ragged_line", "unreadable", "", "quarantined", 15),
    FaultKind("torn_line", "unreadable", "", "quarantined", 12),
    FaultKind("sent_twice", "deduplicate", "sale_id", "dropped", 39, repeated=True),
    FaultKind("void_line", "filter", "status", "dropped", 60, {"Status": pl.lit("void")}),
    FaultKind("training_till", "expect_column_values_to_not_match_regex", "till", "dropped", 43,
         {"Till": pl.lit("TRAINING-1")}),
    FaultKind("bad_email", "expect_column_values_to_match_regex", "email", "published", 53,
         {"Email": pl.col("Email").str.replace("@", "#")}),
    FaultKind("long_note", "expect_column_value_lengths_to_be_between", "note", "published", 10,
         {"Note": pl.lit("the customer says that " * 5 + "it was wet")}),
)  # fmt: skip

RETURNS = (
    FaultKind("unknown_sale", "expect_column_values_to_exist_in", "sale_id", "quarantined", 480, {"sale_id": pl.lit(7)}),
    FaultKind("larger_than_sale", "expect_column_pair_values_a_to_be_greater_than_b", "", "quarantined", 400,
         {"amount": pl.col("sold_amount") + 10}),
    FaultKind("nothing_refunded", "expect_column_values_to_be_between", "amount", "quarantined", 320,
         {"amount": pl.lit(0.0)}),
    FaultKind("no_sale", "expect_column_values_to_not_be_null", "sale_id", "quarantined", 90, {"sale_id": pl.lit(None)}),
    FaultKind("shared_id", "expect_column_values_to_be_unique", "return_id", "quarantined", 170,
         {"reason": pl.lit("changed mind")}, repeated=True, found_each=2),
    FaultKind("unparsable_date", "cast", "returned_at", "quarantined", 560, {"returned_at": pl.lit("yesterday")}),
    FaultKind("torn_line", "unreadable", "", "quarantined", 80),
    FaultKind("unknown_reason", "expect_column_values_to_be_in_set", "reason", "published", 640,
         {"reason": pl.lit("because")}),
)  # fmt: skip

STOCK = (
    FaultKind("negative_stock", "expect_column_values_to_be_between", "on_hand", "quarantined", 90,
         {"on_hand": -1 - pl.col("on_hand")}),
    FaultKind("unknown_product", "expect_column_values_to_exist_in", "product_id", "quarantined", 60,
         {"product_id": "X" + pl.col("product_id")}),
    FaultKind("counted_twice", "expect_compound_columns_to_be_unique", "", "quarantined", 40,
         {"on_hand": pl.col("on_hand") + 1}, repeated=True, found_each=2),
    FaultKind("bad_aisle", "expect_column_values_to_match_regex_list", "aisle", "published", 110,
         {"aisle": pl.lit("somewhere")}),
    FaultKind("over_capacity", "expect_column_pair_values_a_to_be_greater_than_b", "", "published", 70,
         {"on_hand": pl.col("capacity") + 50}),
)  # fmt: skip
