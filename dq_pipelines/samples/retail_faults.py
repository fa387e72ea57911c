"""What is sown into the retail sample: one line a kind of fault. How clean rows are made belongs in `retail`.

Shares differ from one another within a table, so that a count found under the wrong rule shows.
"""

from __future__ import annotations

import polars as pl

from dq_pipelines.samples.sowing import Seed

#: Shares of the table's rows, in 10,000.
CUSTOMERS = (
    Seed("bad_email", "expect_column_values_to_match_regex", "email", "quarantined", 300,
         {"email": pl.col("email").str.replace("@", " at ")}),
    Seed("no_name", "expect_column_values_to_not_be_null", "name", "quarantined", 200, {"name": pl.lit(None)}),
    Seed("shared_id", "expect_column_values_to_be_unique", "customer_id", "quarantined", 134,
         {"name": pl.lit("Somebody Else")}, repeated=True, found_each=2),
    Seed("born_after_joining", "expect_column_pair_values_a_to_be_greater_than_b", "", "quarantined", 100,
         {"born": pl.col("joined").dt.offset_by("1y")}),
    Seed("unknown_country", "expect_column_values_to_be_in_set", "country", "published", 167,
         {"country": pl.lit("XX")}),
)  # fmt: skip

PRODUCTS = (
    Seed("negative_price", "expect_column_values_to_be_between", "price", "quarantined", 250,
         {"Price": "-" + pl.col("Price"), "Cost": "-" + pl.col("Price")}),
    Seed("price_as_text", "cast", "price", "quarantined", 170, {"Price": pl.lit("on request")}),
    Seed("no_name", "expect_column_values_to_not_be_null", "name", "quarantined", 90, {"Name": pl.lit(None)}),
    Seed("bad_barcode", "expect_column_values_to_match_regex", "barcode", "quarantined", 340,
         {"Barcode": pl.col("Barcode").str.head(12)}),
    Seed("sold_below_cost", "expect_column_pair_values_a_to_be_greater_than_b", "", "published", 420,
         {"Cost": "9" + pl.col("Price")}),
)  # fmt: skip

SALES = (
    Seed("no_customer", "expect_column_values_to_not_be_null", "customer_id", "published", 48,
         {"Customer": pl.lit(None)}),
    Seed("unknown_customer", "expect_column_values_to_exist_in", "customer_id", "published", 20,
         {"Customer": pl.lit("999999")}),
    Seed("unknown_product", "expect_column_values_to_exist_in", "product_id", "quarantined", 34,
         {"Product": pl.lit("P9999")}),
    Seed("negative_amount", "expect_column_values_to_be_between", "amount", "quarantined", 29,
         {"Unit Price": "-" + pl.col("Unit Price"), "Amount": "-" + pl.col("Amount")}),
    Seed("no_quantity", "expect_column_values_to_be_between", "quantity", "quarantined", 22,
         {"Quantity": pl.lit("0"), "Amount": pl.lit("0.00")}),
    Seed("clock_reset", "expect_column_values_to_be_between", "sold_at", "quarantined", 17,
         {"Sold At": pl.lit("01/01/1970 00:00:17")}),
    Seed("wrong_total", "expect_rows_sql", "", "quarantined", 24, {"Amount": "1" + pl.col("Amount")}),
    Seed("unknown_payment", "expect_column_values_to_be_in_set", "payment", "quarantined", 31,
         {"Payment": pl.lit("cheque")}),
    Seed("unparsable_date", "cast", "sold_at", "quarantined", 36, {"Sold At": pl.lit("31/02/2026 12:00:00")}),
    Seed("unparsable_amount", "cast", "amount", "quarantined", 27,
         {"Amount": pl.col("Amount").str.replace(".", ",", literal=True)}),
    Seed("ragged_line", "unreadable", "", "quarantined", 15),
    Seed("torn_line", "unreadable", "", "quarantined", 12),
    Seed("sent_twice", "deduplicate", "sale_id", "dropped", 39, repeated=True),
    Seed("void_line", "filter", "status", "dropped", 60, {"Status": pl.lit("void")}),
    Seed("training_till", "expect_column_values_to_not_match_regex", "till", "dropped", 43,
         {"Till": pl.lit("TRAINING-1")}),
    Seed("bad_email", "expect_column_values_to_match_regex", "email", "published", 53,
         {"Email": pl.col("Email").str.replace("@", "#")}),
    Seed("long_note", "expect_column_value_lengths_to_be_between", "note", "published", 10,
         {"Note": pl.lit("the customer says that " * 5 + "it was wet")}),
)  # fmt: skip

RETURNS = (
    Seed("unknown_sale", "expect_column_values_to_exist_in", "sale_id", "quarantined", 480, {"sale_id": pl.lit(7)}),
    Seed("larger_than_sale", "expect_column_pair_values_a_to_be_greater_than_b", "", "quarantined", 400,
         {"amount": pl.col("sold_amount") + 10}),
    Seed("nothing_refunded", "expect_column_values_to_be_between", "amount", "quarantined", 320,
         {"amount": pl.lit(0.0)}),
    Seed("no_sale", "expect_column_values_to_not_be_null", "sale_id", "quarantined", 90, {"sale_id": pl.lit(None)}),
    Seed("shared_id", "expect_column_values_to_be_unique", "return_id", "quarantined", 170,
         {"reason": pl.lit("changed mind")}, repeated=True, found_each=2),
    Seed("unparsable_date", "cast", "returned_at", "quarantined", 560, {"returned_at": pl.lit("yesterday")}),
    Seed("torn_line", "unreadable", "", "quarantined", 80),
    Seed("unknown_reason", "expect_column_values_to_be_in_set", "reason", "published", 640,
         {"reason": pl.lit("because")}),
)  # fmt: skip

STOCK = (
    Seed("negative_stock", "expect_column_values_to_be_between", "on_hand", "quarantined", 90,
         {"on_hand": -1 - pl.col("on_hand")}),
    Seed("unknown_product", "expect_column_values_to_exist_in", "product_id", "quarantined", 60,
         {"product_id": "X" + pl.col("product_id")}),
    Seed("counted_twice", "expect_compound_columns_to_be_unique", "", "quarantined", 40,
         {"on_hand": pl.col("on_hand") + 1}, repeated=True, found_each=2),
    Seed("bad_aisle", "expect_column_values_to_match_regex_list", "aisle", "published", 110,
         {"aisle": pl.lit("somewhere")}),
    Seed("over_capacity", "expect_column_pair_values_a_to_be_greater_than_b", "", "published", 70,
         {"on_hand": pl.col("capacity") + 50}),
)  # fmt: skip
