-- Tables of the swapstats archive. Made by `swapstats.adapters.clickhouse.schema`:
-- change that, not this. Needs the storage policy of storage.xml beside it.

CREATE DATABASE IF NOT EXISTS `swapstats`;

CREATE TABLE IF NOT EXISTS `swapstats`.`raw_swaps` (
    `schema_version` UInt8 DEFAULT 1,
    `event_id` String,
    `chain_id` UInt64,
    `tx_hash` String,
    `log_index` UInt64,
    `block_number` UInt64,
    `block_hash` String,
    `inclusion` UInt64,
    `token_address` String,
    `token_symbol` String,
    `pool_address` String,
    `venue` LowCardinality(String),
    `trader` String,
    `side` LowCardinality(String),
    `amount_token` Decimal(38, 18),
    `amount_usd` Nullable(Decimal(20, 6)),
    `event_time` DateTime64(3, 'UTC'),
    `ingested_time` DateTime64(3, 'UTC'),
    `removed` Bool,
    `sign` Int8,
    `log` LowCardinality(String),
    `partition` UInt32,
    `offset` UInt64,
    INDEX place (`log`, `partition`, `offset`) TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (chain_id, token_address, event_time, tx_hash, log_index, event_id)
TTL toDateTime(event_time, 'UTC') + INTERVAL 90 DAY TO VOLUME 'cold', toDateTime(event_time, 'UTC') + INTERVAL 365 DAY DELETE
SETTINGS storage_policy = 'hot_to_s3', non_replicated_deduplication_window = 50000, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `swapstats`.`raw_late` (
    `schema_version` UInt8 DEFAULT 1,
    `event_id` String,
    `chain_id` UInt64,
    `tx_hash` String,
    `log_index` UInt64,
    `block_number` UInt64,
    `block_hash` String,
    `inclusion` UInt64,
    `token_address` String,
    `token_symbol` String,
    `pool_address` String,
    `venue` LowCardinality(String),
    `trader` String,
    `side` LowCardinality(String),
    `amount_token` Decimal(38, 18),
    `amount_usd` Nullable(Decimal(20, 6)),
    `event_time` DateTime64(3, 'UTC'),
    `ingested_time` DateTime64(3, 'UTC'),
    `removed` Bool,
    `sign` Int8,
    `log` LowCardinality(String),
    `partition` UInt32,
    `offset` UInt64,
    INDEX place (`log`, `partition`, `offset`) TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (chain_id, token_address, event_time, tx_hash, log_index, event_id)
TTL toDateTime(ingested_time, 'UTC') + INTERVAL 90 DAY TO VOLUME 'cold', toDateTime(ingested_time, 'UTC') + INTERVAL 365 DAY DELETE
SETTINGS storage_policy = 'hot_to_s3', non_replicated_deduplication_window = 50000, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `swapstats`.`hourly` (
    `chain_id` UInt64,
    `token_address` String,
    `hour` DateTime('UTC'),
    `log` LowCardinality(String),
    `partition` UInt32,
    `trades` SimpleAggregateFunction(sum, Int64),
    `buy` SimpleAggregateFunction(sum, Int64),
    `sell` SimpleAggregateFunction(sum, Int64),
    `unpriced` SimpleAggregateFunction(sum, Int64),
    `vol_usd` SimpleAggregateFunction(sum, Decimal(38, 6)),
    `buy_usd` SimpleAggregateFunction(sum, Decimal(38, 6)),
    `sell_usd` SimpleAggregateFunction(sum, Decimal(38, 6)),
    `vol_token` SimpleAggregateFunction(sum, Decimal(76, 18))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (`chain_id`, `token_address`, `hour`, `log`, `partition`)
SETTINGS non_replicated_deduplication_window = 50000;

CREATE MATERIALIZED VIEW IF NOT EXISTS `swapstats`.`hourly_view`
TO `swapstats`.`hourly` AS
SELECT
    chain_id,
    token_address,
    toStartOfHour(toDateTime(event_time, 'UTC')) AS hour,
    `log`,
    `partition`,
    sum(toInt64(sign)) AS trades,
    sum(toInt64(sign) * (side = 'buy')) AS buy,
    sum(toInt64(sign) * (side = 'sell')) AS sell,
    sum(toInt64(sign) * isNull(amount_usd)) AS unpriced,
    sum(toDecimal128(ifNull(amount_usd, 0), 6) * sign) AS vol_usd,
    sum(toDecimal128(ifNull(amount_usd, 0), 6) * sign * (side = 'buy')) AS buy_usd,
    sum(toDecimal128(ifNull(amount_usd, 0), 6) * sign * (side = 'sell')) AS sell_usd,
    sum(toDecimal256(amount_token, 18) * sign) AS vol_token
FROM `swapstats`.`raw_swaps`
GROUP BY `chain_id`, `token_address`, `hour`, `log`, `partition`;

CREATE TABLE IF NOT EXISTS `swapstats`.`daily` (
    `chain_id` UInt64,
    `token_address` String,
    `day` Date,
    `log` LowCardinality(String),
    `partition` UInt32,
    `trades` SimpleAggregateFunction(sum, Int64),
    `buy` SimpleAggregateFunction(sum, Int64),
    `sell` SimpleAggregateFunction(sum, Int64),
    `unpriced` SimpleAggregateFunction(sum, Int64),
    `vol_usd` SimpleAggregateFunction(sum, Decimal(38, 6)),
    `buy_usd` SimpleAggregateFunction(sum, Decimal(38, 6)),
    `sell_usd` SimpleAggregateFunction(sum, Decimal(38, 6)),
    `vol_token` SimpleAggregateFunction(sum, Decimal(76, 18))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (`chain_id`, `token_address`, `day`, `log`, `partition`)
SETTINGS non_replicated_deduplication_window = 50000;

CREATE MATERIALIZED VIEW IF NOT EXISTS `swapstats`.`daily_view`
TO `swapstats`.`daily` AS
SELECT
    chain_id,
    token_address,
    toDate(event_time, 'UTC') AS day,
    `log`,
    `partition`,
    sum(toInt64(sign)) AS trades,
    sum(toInt64(sign) * (side = 'buy')) AS buy,
    sum(toInt64(sign) * (side = 'sell')) AS sell,
    sum(toInt64(sign) * isNull(amount_usd)) AS unpriced,
    sum(toDecimal128(ifNull(amount_usd, 0), 6) * sign) AS vol_usd,
    sum(toDecimal128(ifNull(amount_usd, 0), 6) * sign * (side = 'buy')) AS buy_usd,
    sum(toDecimal128(ifNull(amount_usd, 0), 6) * sign * (side = 'sell')) AS sell_usd,
    sum(toDecimal256(amount_token, 18) * sign) AS vol_token
FROM `swapstats`.`raw_swaps`
GROUP BY `chain_id`, `token_address`, `day`, `log`, `partition`;
