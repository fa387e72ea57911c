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
	PRIMARY KEY (id), 
	CONSTRAINT dq_verdicts_once UNIQUE ("table", batch, run_id)
);
CREATE INDEX dq_verdicts_latest ON dq_verdicts ("table", id);
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
	PRIMARY KEY (verdict_id, "check"), 
	FOREIGN KEY(verdict_id) REFERENCES dq_verdicts (id) ON DELETE CASCADE
);
