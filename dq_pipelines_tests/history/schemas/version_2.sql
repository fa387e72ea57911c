CREATE TABLE dq_accepted (
	"table" VARCHAR(255) NOT NULL, 
	metric VARCHAR(64) NOT NULL, 
	"column" VARCHAR(255) NOT NULL, 
	at DATETIME NOT NULL, 
	new_level BOOLEAN NOT NULL, 
	"by" VARCHAR(255) NOT NULL, 
	note TEXT NOT NULL, 
	accepted_at DATETIME NOT NULL, 
	PRIMARY KEY ("table", metric, "column", at)
);
CREATE TABLE dq_alerts (
	number INTEGER NOT NULL, 
	event VARCHAR(32) NOT NULL, 
	about VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	partition VARCHAR(255), 
	severity VARCHAR(16) NOT NULL, 
	count BIGINT NOT NULL, 
	said TEXT NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	opened_at DATETIME NOT NULL, 
	closed_at DATETIME, 
	closed_by VARCHAR(64) NOT NULL, 
	PRIMARY KEY (number)
);
CREATE INDEX dq_alerts_closed ON dq_alerts (closed_at);
CREATE TABLE dq_alerts_told (
	number INTEGER NOT NULL, 
	channel VARCHAR(255) NOT NULL, 
	at DATETIME NOT NULL, 
	closed_at DATETIME, 
	PRIMARY KEY (number, channel), 
	FOREIGN KEY(number) REFERENCES dq_alerts (number) ON DELETE CASCADE
);
CREATE TABLE dq_attempts (
	id INTEGER NOT NULL, 
	"table" VARCHAR(255) NOT NULL, 
	partition VARCHAR(255), 
	run_id VARCHAR(64) NOT NULL, 
	recheck BOOLEAN NOT NULL, 
	batch VARCHAR(255) NOT NULL, 
	started_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	outcome VARCHAR(16) NOT NULL, 
	said TEXT NOT NULL, 
	process VARCHAR(255) NOT NULL, 
	upstream TEXT, 
	PRIMARY KEY (id)
);
CREATE INDEX dq_attempts_latest ON dq_attempts ("table", id);
CREATE INDEX dq_attempts_run ON dq_attempts (run_id, id);
CREATE TABLE dq_batch_metrics (
	verdict_id INTEGER NOT NULL, 
	bytes BIGINT, 
	freshness_seconds FLOAT, 
	landing_seconds FLOAT, 
	judging_seconds FLOAT, 
	committing_seconds FLOAT, 
	cpu_seconds FLOAT, 
	peak_memory_bytes BIGINT, 
	PRIMARY KEY (verdict_id), 
	FOREIGN KEY(verdict_id) REFERENCES dq_verdicts (id) ON DELETE CASCADE
);
CREATE TABLE dq_column_metrics (
	verdict_id INTEGER NOT NULL, 
	"column" VARCHAR(1024) NOT NULL, 
	place INTEGER NOT NULL, 
	count BIGINT NOT NULL, 
	null_count BIGINT NOT NULL, 
	distinct_count FLOAT, 
	min FLOAT, 
	max FLOAT, 
	mean FLOAT, 
	standard_deviation FLOAT, 
	p01 FLOAT, 
	p05 FLOAT, 
	p25 FLOAT, 
	p50 FLOAT, 
	p75 FLOAT, 
	p95 FLOAT, 
	p99 FLOAT, 
	outlier_count BIGINT, 
	robust_outlier_count BIGINT, 
	min_length BIGINT, 
	mean_length FLOAT, 
	max_length BIGINT, 
	state TEXT, 
	PRIMARY KEY (verdict_id, "column"), 
	FOREIGN KEY(verdict_id) REFERENCES dq_verdicts (id) ON DELETE CASCADE
);
CREATE TABLE dq_results (
	verdict_id INTEGER NOT NULL, 
	"check" VARCHAR(255) NOT NULL, 
	rule VARCHAR(255) NOT NULL, 
	"column" VARCHAR(1024), 
	severity VARCHAR(16) NOT NULL, 
	success BOOLEAN NOT NULL, 
	blocks BOOLEAN NOT NULL, 
	element_count BIGINT, 
	missing_count BIGINT, 
	unexpected_count BIGINT, 
	observed_value TEXT, 
	error TEXT, 
	fingerprint VARCHAR(64), 
	score FLOAT NOT NULL, 
	dimension VARCHAR(16), 
	action VARCHAR(16), 
	mostly FLOAT, 
	remark TEXT, 
	PRIMARY KEY (verdict_id, "check"), 
	FOREIGN KEY(verdict_id) REFERENCES dq_verdicts (id) ON DELETE CASCADE
);
CREATE TABLE dq_runs_read (
	reader VARCHAR(32) NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	read_at DATETIME NOT NULL, 
	PRIMARY KEY (reader, run_id)
);
CREATE TABLE dq_verdicts (
	id INTEGER NOT NULL, 
	"table" VARCHAR(255) NOT NULL, 
	batch VARCHAR(255) NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	partition VARCHAR(255), 
	started_at DATETIME NOT NULL, 
	duration_seconds FLOAT NOT NULL, 
	rows_in BIGINT NOT NULL, 
	published BIGINT NOT NULL, 
	refused BIGINT NOT NULL, 
	dropped BIGINT NOT NULL, 
	blocked BOOLEAN NOT NULL, 
	replaces BOOLEAN, 
	PRIMARY KEY (id)
);
CREATE INDEX dq_verdicts_batches ON dq_verdicts ("table", batch, id);
CREATE INDEX dq_verdicts_latest ON dq_verdicts ("table", id);
CREATE UNIQUE INDEX dq_verdicts_once_in_partition ON dq_verdicts ("table", batch, run_id, partition);
CREATE UNIQUE INDEX dq_verdicts_once_in_table ON dq_verdicts ("table", batch, run_id) WHERE partition IS NULL;
CREATE INDEX dq_verdicts_run ON dq_verdicts (run_id, id);
CREATE TABLE dq_schema_versions (
	store VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	PRIMARY KEY (store)
);
INSERT INTO dq_schema_versions VALUES ('history', 2);
