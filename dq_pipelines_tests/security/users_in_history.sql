-- What an earlier release kept in history.db: a user, an API key, a login, a session, two lines of audit.
BEGIN TRANSACTION;
CREATE TABLE dq_api_keys (
	id VARCHAR(16) NOT NULL,
	user VARCHAR(255) NOT NULL,
	note VARCHAR(255) NOT NULL,
	secret VARCHAR(64) NOT NULL,
	role VARCHAR(16),
	scope VARCHAR(255) NOT NULL,
	created_at DATETIME NOT NULL,
	expires_at DATETIME,
	revoked_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(user) REFERENCES dq_users (name) ON DELETE CASCADE
);
INSERT INTO "dq_api_keys" VALUES('69c157ad8854','ann','nightly','1d545b04476776c28a472d933a906a1da3efcaf0c6c89f0c3fd74535490ac1d5',NULL,'','2026-11-29 19:40:39.291252',NULL,NULL);
CREATE TABLE dq_audit (
	number INTEGER NOT NULL,
	line TEXT NOT NULL,
	hash VARCHAR(64) NOT NULL,
	PRIMARY KEY (number)
);
INSERT INTO "dq_audit" VALUES(1,'{"at": "2026-11-29T19:40:36.439478+00:00", "more": {"grant": "admin"}, "on": "ann", "result": "done", "source": "cli", "what": "user.add", "who": "root"}','4662385c1a91893a4e378d73601de9bb9917107804112b2cfa9b24dab0688f08');
INSERT INTO "dq_audit" VALUES(2,'{"at": "2026-11-29T19:40:39.377216+00:00", "more": {"note": "nightly", "user": "ann"}, "on": "69c157ad8854", "result": "done", "source": "cli", "what": "key.add", "who": "root"}','7ff9e22bb37460865e0e608b66e47449c5292f6235507292558d4d7eb563d115');
CREATE TABLE dq_audit_head (
	one INTEGER NOT NULL,
	number BIGINT NOT NULL,
	hash VARCHAR(64) NOT NULL,
	PRIMARY KEY (one)
);
INSERT INTO "dq_audit_head" VALUES(1,2,'7ff9e22bb37460865e0e608b66e47449c5292f6235507292558d4d7eb563d115');
CREATE TABLE dq_grants (
	user VARCHAR(255) NOT NULL,
	role VARCHAR(16) NOT NULL,
	scope VARCHAR(255) NOT NULL,
	PRIMARY KEY (user, role, scope),
	FOREIGN KEY(user) REFERENCES dq_users (name) ON DELETE CASCADE
);
INSERT INTO "dq_grants" VALUES('ann','admin','');
CREATE TABLE dq_refresh_tokens (
	id VARCHAR(64) NOT NULL,
	family VARCHAR(32) NOT NULL,
	user VARCHAR(255) NOT NULL,
	epoch INTEGER NOT NULL,
	expires_at DATETIME NOT NULL,
	ends_at DATETIME NOT NULL,
	used_at DATETIME,
	revoked_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(user) REFERENCES dq_users (name) ON DELETE CASCADE
);
INSERT INTO "dq_refresh_tokens" VALUES('9bd9a9000ed93ba140c7a3af788fce354282d1b33f075cd14386b4aef30d78c6','cdd77009a15f0837a53f5f8ae485d297','ann',0,'2026-12-06 19:40:41.805431','2026-12-29 19:40:41.804477',NULL,NULL);
CREATE TABLE dq_sessions (
	id VARCHAR(64) NOT NULL,
	user VARCHAR(255) NOT NULL,
	epoch INTEGER NOT NULL,
	csrf VARCHAR(64) NOT NULL,
	created_at DATETIME NOT NULL,
	seen_at DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(user) REFERENCES dq_users (name) ON DELETE CASCADE
);
INSERT INTO "dq_sessions" VALUES('2d17ce48172d68cf4c9b531f5855aaef3333d91311aa4332ce9b52237877ca66','ann',0,'LS1LW5efEiYX6Tz-EB1t1kzORdgGoyt9I1m_-dDgKZk','2026-11-29 19:40:42.159735','2026-11-29 19:40:42.159737');
CREATE TABLE dq_signing_keys (
	id VARCHAR(16) NOT NULL,
	seed VARCHAR(64) NOT NULL,
	created_at DATETIME NOT NULL,
	retired_at DATETIME,
	PRIMARY KEY (id)
);
INSERT INTO "dq_signing_keys" VALUES('ea3aa081a16c','3b9eee4d4f2e1a47c40d82de16cb6e3c04dca40d3a11ea8c919001acfd8dc57a','2026-11-29 19:40:42.097236',NULL);
CREATE TABLE dq_users (
	name VARCHAR(255) NOT NULL,
	password TEXT,
	disabled BOOLEAN NOT NULL,
	created_at DATETIME NOT NULL,
	failures INTEGER NOT NULL,
	locked_until DATETIME,
	epoch INTEGER NOT NULL,
	subject VARCHAR(600),
	PRIMARY KEY (name)
);
INSERT INTO "dq_users" VALUES('ann','$argon2id$v=19$m=65536,t=3,p=4$ueNSwCZUTrNYCAoxRbno2g$w59yoz8KugezGHWnpq0z1IWCX9e1w2tcNJmrg3Tj/6E',0,'2026-11-29 19:40:36.352230',0,NULL,0,NULL);
CREATE UNIQUE INDEX dq_users_subject ON dq_users (subject);
CREATE INDEX dq_refresh_tokens_family ON dq_refresh_tokens (family);
COMMIT;
