-- The platform's own tables, by its names. On the platform's database they exist already.

DO $$ BEGIN CREATE TYPE user_role AS ENUM ('user', 'admin', 'superadmin');
EXCEPTION WHEN duplicate_object THEN NULL; END $$;

DO $$ BEGIN CREATE TYPE contest_status AS ENUM ('pending', 'active', 'completed', 'cancelled');
EXCEPTION WHEN duplicate_object THEN NULL; END $$;

CREATE TABLE IF NOT EXISTS users (
    id serial PRIMARY KEY,
    wallet_address varchar(64) NOT NULL UNIQUE,
    nickname varchar(255),
    role user_role NOT NULL DEFAULT 'user',
    is_banned boolean NOT NULL DEFAULT false,
    ban_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_login timestamptz,
    profile_image_url text,
    last_known_balance bigint
);

CREATE TABLE IF NOT EXISTS auth_challenges (
    wallet_address varchar(64) PRIMARY KEY,
    nonce varchar(64) NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS contests (
    id serial PRIMARY KEY,
    contest_code varchar(64) NOT NULL UNIQUE,
    name varchar(255) NOT NULL,
    description text,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    entry_fee numeric(20, 8) NOT NULL DEFAULT 0,
    prize_pool numeric(20, 8) NOT NULL DEFAULT 0,
    current_prize_pool numeric(20, 8) NOT NULL DEFAULT 0,
    status contest_status NOT NULL DEFAULT 'pending',
    settings jsonb NOT NULL DEFAULT '{}',
    allowed_buckets int[] NOT NULL DEFAULT '{}',
    participant_count int NOT NULL DEFAULT 0,
    min_participants int NOT NULL DEFAULT 0,
    max_participants int
);

CREATE TABLE IF NOT EXISTS contest_participants (
    id serial PRIMARY KEY,
    contest_id int NOT NULL REFERENCES contests (id) ON DELETE CASCADE,
    wallet_address varchar(64) NOT NULL,
    joined_at timestamptz NOT NULL DEFAULT now(),
    entry_time timestamptz NOT NULL DEFAULT now(),
    status varchar(32) NOT NULL DEFAULT 'registered',
    initial_balance numeric(20, 8),
    portfolio_value numeric(20, 8),
    rank int,
    final_rank int,
    prize_amount numeric(20, 8),
    UNIQUE (contest_id, wallet_address)
);

CREATE TABLE IF NOT EXISTS contest_chat_messages (
    id bigserial PRIMARY KEY,
    contest_id int NOT NULL REFERENCES contests (id) ON DELETE CASCADE,
    sender_wallet_address varchar(64) NOT NULL,
    message_text varchar(500) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS tokens (
    id serial PRIMARY KEY,
    address varchar(64) NOT NULL UNIQUE,
    symbol varchar(64) NOT NULL,
    name varchar(255) NOT NULL,
    decimals int NOT NULL DEFAULT 9,
    is_active boolean NOT NULL DEFAULT true,
    market_cap numeric(30, 8),
    change_24h numeric(20, 8),
    volume_24h numeric(30, 8),
    image_url text,
    description text
);

CREATE TABLE IF NOT EXISTS token_prices (
    token_id int PRIMARY KEY REFERENCES tokens (id) ON DELETE CASCADE,
    price numeric(40, 20) NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS token_prices_updated_at ON token_prices (updated_at);

CREATE TABLE IF NOT EXISTS contest_portfolios (
    id serial PRIMARY KEY,
    contest_id int NOT NULL REFERENCES contests (id) ON DELETE CASCADE,
    wallet_address varchar(64) NOT NULL,
    token_id int NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    weight int NOT NULL,
    UNIQUE (contest_id, wallet_address, token_id)
);

CREATE TABLE IF NOT EXISTS wallet_balance_history (
    id bigserial PRIMARY KEY,
    wallet_address varchar(64) NOT NULL,
    balance_lamports bigint NOT NULL,
    "timestamp" timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS websocket_messages (
    id bigserial PRIMARY KEY,
    type varchar(64) NOT NULL,
    data jsonb NOT NULL,
    wallet_address varchar(64),
    "timestamp" timestamptz NOT NULL DEFAULT now(),
    delivered boolean NOT NULL DEFAULT false,
    delivered_at timestamptz,
    read boolean NOT NULL DEFAULT false,
    read_at timestamptz
);

CREATE TABLE IF NOT EXISTS system_settings (
    key varchar(255) PRIMARY KEY,
    value jsonb NOT NULL,
    description text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by varchar(64)
);

CREATE TABLE IF NOT EXISTS circuit_breaker_states (
    service_name varchar(128) PRIMARY KEY,
    state varchar(32) NOT NULL DEFAULT 'closed',
    failures int NOT NULL DEFAULT 0,
    last_failure timestamptz,
    last_success timestamptz,
    last_reset timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS circuit_breaker_incidents (
    id bigserial PRIMARY KEY,
    service_name varchar(128) NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    cause text
);

CREATE TABLE IF NOT EXISTS circuit_breaker_config (
    service_name varchar(128) PRIMARY KEY,
    config jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS admin_logs (
    id bigserial PRIMARY KEY,
    admin_address varchar(64) NOT NULL,
    action varchar(128) NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    ip_address varchar(64),
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS websocket_connections (
    connection_id varchar(64) PRIMARY KEY,
    ip varchar(64),
    user_agent text,
    wallet_address varchar(64),
    nickname varchar(255),
    is_authenticated boolean NOT NULL DEFAULT false,
    environment varchar(32),
    origin text,
    connected_at timestamptz NOT NULL DEFAULT now(),
    disconnected_at timestamptz,
    duration_seconds double precision,
    close_code int,
    close_reason text,
    subscribed_topics text[] NOT NULL DEFAULT '{}',
    messages_received bigint NOT NULL DEFAULT 0,
    messages_sent bigint NOT NULL DEFAULT 0
);
