-- Times are microseconds since 1970 UTC, ids and JSON are text, booleans are 0/1:
-- one code base reads these tables here and on SQLite.

CREATE TABLE tenants (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    disabled    BIGINT NOT NULL DEFAULT 0,
    cost_limit  BIGINT,                         -- micro-dollars per month; null: the configured default
    created_at  BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id),
    hash        TEXT NOT NULL UNIQUE,           -- SHA-256 of the key, in hex
    prefix      TEXT NOT NULL,                  -- its first characters, to tell keys apart
    scopes      TEXT NOT NULL,                  -- JSON array
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);

CREATE TABLE conversations (
    id              TEXT PRIMARY KEY,
    tenant_id       TEXT NOT NULL REFERENCES tenants (id),
    title           TEXT,
    session_id      TEXT NOT NULL,              -- the agent's name for it
    fence           BIGINT NOT NULL DEFAULT 0,  -- newest fencing token seen
    context_tokens  BIGINT NOT NULL DEFAULT 0,
    agent_cost      BIGINT NOT NULL DEFAULT 0,  -- what the agent itself has added up, micro-dollars
    unpublished     TEXT,                       -- server whose disk holds a workspace newer than the store's
    unpublished_at  BIGINT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    deleted_at      BIGINT
);
CREATE INDEX conversations_by_tenant ON conversations (tenant_id, id);

CREATE TABLE executions (
    id              TEXT PRIMARY KEY,
    tenant_id       TEXT NOT NULL REFERENCES tenants (id),
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    state           TEXT NOT NULL,
    fence           BIGINT NOT NULL DEFAULT 0,  -- a write with an older token is refused
    owner           TEXT NOT NULL,              -- replica that admitted it or took it over
    request         TEXT NOT NULL,              -- JSON
    model           TEXT NOT NULL,
    workspace       BIGINT NOT NULL,
    idempotency_key TEXT,
    request_digest  TEXT NOT NULL,
    last_seq        BIGINT NOT NULL DEFAULT 0,
    cancel          BIGINT NOT NULL DEFAULT 0,
    error_code      TEXT,
    error_message   TEXT,
    input_tokens    BIGINT NOT NULL DEFAULT 0,
    output_tokens   BIGINT NOT NULL DEFAULT 0,
    cache_read      BIGINT NOT NULL DEFAULT 0,
    cache_write     BIGINT NOT NULL DEFAULT 0,
    requests        BIGINT NOT NULL DEFAULT 0,
    cost            BIGINT NOT NULL DEFAULT 0,  -- micro-dollars
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    finished_at     BIGINT,
    UNIQUE (tenant_id, idempotency_key)
);
CREATE INDEX executions_by_conversation ON executions (conversation_id, id);
CREATE INDEX executions_by_tenant ON executions (tenant_id, id);
CREATE INDEX executions_open ON executions (updated_at) WHERE finished_at IS NULL;

CREATE TABLE execution_events (
    execution_id TEXT NOT NULL REFERENCES executions (id),
    seq          BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    data         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (execution_id, seq)
);

CREATE TABLE messages (
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    seq             BIGINT NOT NULL,
    execution_id    TEXT NOT NULL,
    role            TEXT NOT NULL,
    content         TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, seq)
);

CREATE TABLE transcripts (
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    seq             BIGINT NOT NULL,
    file            TEXT NOT NULL,              -- below the agent's folder of projects
    entry           TEXT NOT NULL,              -- one line of it
    PRIMARY KEY (conversation_id, seq)
);

CREATE TABLE conversation_files (
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    path            TEXT NOT NULL,
    size            BIGINT NOT NULL,
    digest          TEXT NOT NULL,
    mode            BIGINT NOT NULL,
    origin          TEXT NOT NULL,              -- ai or user
    execution_id    TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, path)
);

CREATE TABLE usage (
    id              TEXT PRIMARY KEY,
    tenant_id       TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    execution_id    TEXT NOT NULL,
    model           TEXT NOT NULL,
    input_tokens    BIGINT NOT NULL,
    output_tokens   BIGINT NOT NULL,
    cache_read      BIGINT NOT NULL,
    cache_write     BIGINT NOT NULL,
    cost            BIGINT NOT NULL,
    created_at      BIGINT NOT NULL
);
CREATE INDEX usage_by_tenant ON usage (tenant_id, created_at);

CREATE TABLE audit (
    id               TEXT PRIMARY KEY,
    tenant_id        TEXT NOT NULL,
    conversation_id  TEXT NOT NULL,
    execution_id     TEXT NOT NULL,
    tool             TEXT NOT NULL,
    arguments_digest TEXT NOT NULL,
    outcome          TEXT NOT NULL,
    report           TEXT NOT NULL,
    created_at       BIGINT NOT NULL
);
CREATE INDEX audit_by_execution ON audit (execution_id, id);
CREATE INDEX audit_by_tenant ON audit (tenant_id, created_at);
