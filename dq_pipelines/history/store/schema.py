"""Defines the tables of the history's database."""

from __future__ import annotations

import sqlalchemy as sa

from dq_pipelines.config.database import Moment

METADATA = sa.MetaData()

VERDICTS = sa.Table(
    "dq_verdicts",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("table", sa.String(255), nullable=False),
    sa.Column("batch", sa.String(255), nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("partition", sa.String(255)),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("duration_seconds", sa.Float, nullable=False),
    sa.Column("rows_in", sa.BigInteger, nullable=False),
    sa.Column("published", sa.BigInteger, nullable=False),
    sa.Column("refused", sa.BigInteger, nullable=False),
    sa.Column("dropped", sa.BigInteger, nullable=False),
    sa.Column("blocked", sa.Boolean, nullable=False),
    sa.Column("replaces", sa.Boolean),
    sa.Index("dq_verdicts_latest", "table", "id"),
    sa.Index("dq_verdicts_batches", "table", "batch", "id"),
    sa.Index("dq_verdicts_run", "run_id", "id"),
    # Two, since a database takes two nulls for different values.
    sa.Index("dq_verdicts_once_in_partition", "table", "batch", "run_id", "partition", unique=True),
    sa.Index(
        "dq_verdicts_once_in_table",
        "table",
        "batch",
        "run_id",
        unique=True,
        sqlite_where=sa.text("partition IS NULL"),
        postgresql_where=sa.text("partition IS NULL"),
    ),
)
RESULTS = sa.Table(
    "dq_results",
    METADATA,
    sa.Column("verdict_id", sa.ForeignKey("dq_verdicts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("check", sa.String(255), primary_key=True),
    sa.Column("rule", sa.String(255), nullable=False),
    sa.Column("column", sa.String(1024)),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("success", sa.Boolean, nullable=False),
    sa.Column("blocks", sa.Boolean, nullable=False),
    sa.Column("element_count", sa.BigInteger),
    sa.Column("missing_count", sa.BigInteger),
    sa.Column("unexpected_count", sa.BigInteger),
    sa.Column("observed_value", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("dimension", sa.String(16)),
    sa.Column("action", sa.String(16)),
    sa.Column("mostly", sa.Float),
    sa.Column("remark", sa.Text),
)
BATCH_METRICS = sa.Table(
    "dq_batch_metrics",
    METADATA,
    sa.Column("verdict_id", sa.ForeignKey("dq_verdicts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("freshness_seconds", sa.Float),
    sa.Column("landing_seconds", sa.Float),
    sa.Column("judging_seconds", sa.Float),
    sa.Column("committing_seconds", sa.Float),
    sa.Column("cpu_seconds", sa.Float),
    sa.Column("peak_memory_bytes", sa.BigInteger),
)
COLUMN_METRICS = sa.Table(
    "dq_column_metrics",
    METADATA,
    sa.Column("verdict_id", sa.ForeignKey("dq_verdicts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("column", sa.String(1024), primary_key=True),
    # in the order of the table
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("null_count", sa.BigInteger, nullable=False),
    sa.Column("distinct_count", sa.Float),
    *(sa.Column(name, sa.Float) for name in ("min", "max", "mean", "standard_deviation")),
    *(sa.Column(name, sa.Float) for name in ("p01", "p05", "p25", "p50", "p75", "p95", "p99")),
    sa.Column("outlier_count", sa.BigInteger),
    sa.Column("robust_outlier_count", sa.BigInteger),
    sa.Column("min_length", sa.BigInteger),
    sa.Column("mean_length", sa.Float),
    sa.Column("max_length", sa.BigInteger),
    sa.Column("state", sa.Text),
)
#: A mark per table, which differs after each write about it.
CHANGES = sa.Table(
    "dq_changes",
    METADATA,
    sa.Column("table", sa.String(255), primary_key=True),
    sa.Column("mark", sa.String(32), nullable=False),
)
#: What was counted in the lake for each published table, as JSON, and the version of its logs that was counted.
LAKE_COUNTS = sa.Table(
    "dq_lake_counts",
    METADATA,
    sa.Column("table", sa.String(255), primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("counts", sa.Text, nullable=False),
)
#: How each run of each table ended, even without a verdict.
ATTEMPTS = sa.Table(
    "dq_attempts",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("table", sa.String(255), nullable=False),
    sa.Column("partition", sa.String(255)),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("recheck", sa.Boolean, nullable=False),
    sa.Column("batch", sa.String(255), nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("process", sa.String(255), nullable=False),
    sa.Column("upstream", sa.Text),
    sa.Index("dq_attempts_latest", "table", "id"),
    sa.Index("dq_attempts_run", "run_id", "id"),
    # Servers ask every second which attempts have no end yet.
    sa.Index(
        "dq_attempts_running",
        "id",
        sqlite_where=sa.text("outcome = 'running'"),
        postgresql_where=sa.text("outcome = 'running'"),
    ),
)
#: Points of series that a person has accepted.
ACCEPTED = sa.Table(
    "dq_accepted",
    METADATA,
    sa.Column("table", sa.String(255), primary_key=True),
    sa.Column("metric", sa.String(64), primary_key=True),
    # "" for a metric of the table: a primary key takes no null
    sa.Column("column", sa.String(255), primary_key=True),
    sa.Column("at", Moment, primary_key=True),
    sa.Column("new_level", sa.Boolean, nullable=False),
    sa.Column("by", sa.String(255), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("accepted_at", Moment, nullable=False),
)
ALERTS = sa.Table(
    "dq_alerts",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("about", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("partition", sa.String(255)),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("closed_at", Moment),
    sa.Column("closed_by", sa.String(64), nullable=False),
    sa.Index("dq_alerts_closed", "closed_at"),
)
ALERTS_TOLD = sa.Table(
    "dq_alerts_told",
    METADATA,
    sa.Column("number", sa.ForeignKey("dq_alerts.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("channel", sa.String(255), primary_key=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("closed_at", Moment),
)
ALERTS_HANDLED = sa.Table(
    "dq_alerts_handled",
    METADATA,
    sa.Column("number", sa.ForeignKey("dq_alerts.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("acknowledged_by", sa.String(255), nullable=False),
    sa.Column("acknowledged_at", Moment),
    sa.Column("assigned_to", sa.String(255), nullable=False),
    sa.Column("muted_until", Moment),
    sa.Column("note", sa.Text, nullable=False),
)
RUNS_READ = sa.Table(
    "dq_runs_read",
    METADATA,
    sa.Column("reader", sa.String(32), primary_key=True),
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("read_at", Moment, nullable=False),
)
