"""Writes a project of so many alike tables: 12 columns, 20 rules and a CSV of a few rows each, in domains of 50 tables.

As in a project of people, every fifth table has a sensor and every tenth a schedule, and each domain ends with a gold table.
Imports nothing heavy: the process that measures uses it.
"""

from __future__ import annotations

from pathlib import Path

RULES = 20
#: Tables of a domain.
DOMAIN = 50

_TABLE = """description: Orders of shop {number}, a file a day
owners: [team:retail]
source: {{type: csv, path: "{landing}/t{number}/*.csv"}}
{automation}silver:
  keys: [id]
  columns:
    id: int64
    sold_at: {{type: datetime, from: "Sold At"}}
    shop: {{type: string, description: the shop's short name}}
    customer_id: int64
    quantity: int32
    price: "decimal(12,2)"
    amount: {{type: "decimal(12,2)"}}
    payment: string
    status: string
    email: string
    note: string
    score: double
  rules:
    - {{type: expect_column_values_to_not_be_null, column: id}}
    - {{type: expect_column_values_to_be_unique, column: id}}
    - {{type: expect_column_values_to_not_be_null, column: customer_id, mostly: 0.98, severity: warning}}
    - {{type: expect_column_values_to_not_be_null, column: sold_at}}
    - {{type: expect_column_values_to_be_between, column: sold_at, min_value: "2020-01-01T00:00:00"}}
    - {{type: expect_column_values_to_be_between, column: quantity, min_value: 1, max_value: {most}}}
    - {{type: expect_column_values_to_be_between, column: price, min_value: 0}}
    - {{type: expect_column_values_to_be_between, column: amount, min_value: 0, on_failure: quarantine}}
    - {{type: expect_column_values_to_be_between, column: score, min_value: 0, max_value: 1, severity: warning}}
    - type: expect_rows_sql
      sql: "amount = quantity * price"
      description: A line whose total is off was edited
    - {{type: expect_column_values_to_be_in_set, column: payment, value_set: [card, cash, voucher, app]}}
    - {{type: expect_column_values_to_be_in_set, column: status, value_set: [open, paid, void], severity: info}}
    - type: expect_column_values_to_match_regex
      column: email
      regex: "^[^@ ]+@[^@ ]+[.][a-z]{{2,}}$"
      severity: warning
    - {{type: expect_column_values_to_not_match_regex, column: shop, regex: "^TRAINING", on_failure: drop}}
    - {{type: expect_column_value_lengths_to_be_between, column: note, max_value: 80, severity: info}}
    - {{type: expect_column_mean_to_be_between, column: score, min_value: 0, max_value: 1, severity: warning}}
    - {{type: expect_column_median_to_be_between, column: amount, min_value: 1, max_value: 500, severity: warning}}
    - {{type: expect_column_max_to_be_between, column: quantity, max_value: 10000, severity: warning}}
    - {{type: expect_column_sum_to_be_between, column: amount, min_value: 0, severity: warning}}
    - {{type: expect_table_row_count_to_be_between, min_value: 1}}
"""

_GOLD = """description: What the shops of this domain sold
owners: [team:retail]
gold:
  sql: |
    SELECT shop, sum(amount) AS amount, count(*) AS orders FROM silver.t{first} GROUP BY shop
    UNION ALL
    SELECT shop, sum(amount) AS amount, count(*) AS orders FROM silver.t{last} GROUP BY shop
  rules:
    - {{type: expect_column_values_to_not_be_null, column: shop}}
"""

_ROWS = """id,Sold At,shop,customer_id,quantity,price,amount,payment,status,email,note,score
1,2026-01-02T10:00:00,north,7,2,3.50,7.00,card,paid,a@example.org,,0.5
2,2026-01-02T11:00:00,north,8,1,9.00,9.00,cash,paid,b@example.org,a gift,0.7
3,2026-01-02T12:00:00,south,9,1,4.00,5.00,app,open,c@example.org,,0.1
"""


def write_project(folder: Path, tables: int) -> Path:
    """Write `tables` landed tables below `folder`: their YAML in `assets_config`, a file of three rows each in `landing`.

    Returns `assets_config`. The third row of each file fails one rule.
    """
    config, landing = folder / "assets_config", folder / "landing"
    config.mkdir(parents=True)
    (config / "project.yaml").write_text("name: bench\n", encoding="utf-8")
    for number in range(tables):
        domain = config / f"d{number // DOMAIN:02}"
        domain.mkdir(exist_ok=True)
        text = _TABLE.format(number=number, landing=landing, automation=_automation(number), most=1000 + number)
        (domain / f"t{number}.yaml").write_text(text, encoding="utf-8")
        if number % DOMAIN == DOMAIN - 1:
            gold = _GOLD.format(first=number - DOMAIN + 1, last=number)
            (domain / f"sold_{number // DOMAIN:02}.yaml").write_text(gold, encoding="utf-8")
        (landing / f"t{number}").mkdir(parents=True)
        (landing / f"t{number}" / "day.csv").write_text(_ROWS, encoding="utf-8")
    return config


def _automation(number: int) -> str:
    return "on_arrival: true\n" if number % 5 == 1 else 'schedule: "0 2 * * *"\n' if number % 10 == 5 else ""
