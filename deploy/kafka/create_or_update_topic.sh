#!/bin/sh
# Create a topic for swapstats, or mend one that is there. For people without `swapstats topics`.
#
#   create_or_update_topic.sh TOPIC PARTITIONS RETENTION_MS CLEANUP SEGMENT_MS BROKERS
#
#   TOPIC         name, such as raw-swaps
#   PARTITIONS    at least as many as there are now: they cannot be taken away, and growing a topic
#                 that holds swaps splits tokens (use `swapstats topics migrate` for that)
#   RETENTION_MS  how long records are kept, in milliseconds; -1 = for ever
#   CLEANUP       delete, compact, or compact,delete
#   SEGMENT_MS    age at which a new segment begins, in milliseconds
#   BROKERS       host:port, several parted by commas
#
# REPLICATION=3 in the environment sets the copies of each partition of a new topic (default 1).
# GROW_KEYED=yes allows more partitions for a topic whose records are placed by key.
# COMMAND_CONFIG=FILE gives kafka-topics.sh and kafka-configs.sh a client's properties file;
# rpk reads its own profile. Uses rpk if it is there, else kafka-topics.sh and kafka-configs.sh.
set -eu

if [ "$#" -ne 6 ]; then
    sed -n '2,17s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
topic=$1
partitions=$2
retention_ms=$3
cleanup=$4
segment_ms=$5
brokers=$6
replication=${REPLICATION:-1}

fail() {
    echo "create_or_update_topic: $1" >&2
    exit 1
}

number() {
    case $2 in
    '' | *[!0-9]*) fail "Expected $1 to be a whole number, was '$2'" ;;
    esac
}

number PARTITIONS "$partitions"
number RETENTION_MS "${retention_ms#-}"
number SEGMENT_MS "$segment_ms"
number REPLICATION "$replication"
[ "$partitions" -gt 0 ] || fail "Expected at least 1 partition, was $partitions"
case $cleanup in
delete | compact | compact,delete | delete,compact) ;;
*) fail "Expected CLEANUP delete, compact or compact,delete, was '$cleanup'" ;;
esac

# First of the names that is a program, with or without `.sh` (Kafka's packages differ).
tool() {
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
}

refuse_to_shrink_or_split() {
    found=$1
    if [ "$partitions" -lt "$found" ]; then
        fail "Expected at least the $found partitions that $topic has, was $partitions"
    fi
    if [ "$partitions" -gt "$found" ] && [ "${GROW_KEYED:-no}" != yes ]; then
        fail "Expected the $found partitions that $topic has, was $partitions: tokens would be \
split over two; use 'swapstats topics migrate', or set GROW_KEYED=yes if $topic is empty"
    fi
}

with_rpk() {
    found=$(rpk topic list -X brokers="$brokers" |
        awk -v topic="$topic" '$1 == topic { print $2 }')
    if [ -z "$found" ]; then
        rpk topic create "$topic" -X brokers="$brokers" -p "$partitions" -r "$replication" \
            -c retention.ms="$retention_ms" -c cleanup.policy="$cleanup" \
            -c segment.ms="$segment_ms" -c message.timestamp.type=LogAppendTime
        return
    fi
    refuse_to_shrink_or_split "$found"
    if [ "$partitions" -gt "$found" ]; then
        rpk topic add-partitions "$topic" -X brokers="$brokers" -n "$((partitions - found))"
    fi
    rpk topic alter-config "$topic" -X brokers="$brokers" \
        --set retention.ms="$retention_ms" --set cleanup.policy="$cleanup" \
        --set segment.ms="$segment_ms" --set message.timestamp.type=LogAppendTime
}

with_kafka() {
    topics=$1
    configs=$2
    set -- --bootstrap-server "$brokers"
    if [ -n "${COMMAND_CONFIG:-}" ]; then
        set -- "$@" --command-config "$COMMAND_CONFIG"
    fi
    listed=$("$topics" "$@" --list) || fail "Expected $brokers to list topics, was an error"
    if ! printf '%s\n' "$listed" | grep -Fxq -- "$topic"; then
        in_sync=$((replication > 1 ? replication - 1 : 1))
        "$topics" "$@" --create --topic "$topic" --partitions "$partitions" \
            --replication-factor "$replication" \
            --config retention.ms="$retention_ms" --config cleanup.policy="$cleanup" \
            --config segment.ms="$segment_ms" --config min.insync.replicas="$in_sync" \
            --config message.timestamp.type=LogAppendTime
        return
    fi
    found=$("$topics" "$@" --describe --topic "$topic" |
        sed -n 's/.*PartitionCount: *\([0-9]*\).*/\1/p')
    [ -n "$found" ] || fail "Expected $topics to tell the partitions of $topic, did not"
    refuse_to_shrink_or_split "$found"
    if [ "$partitions" -gt "$found" ]; then
        "$topics" "$@" --alter --topic "$topic" --partitions "$partitions"
    fi
    # A value with commas stands in brackets here, and only here.
    "$configs" "$@" --entity-type topics --entity-name "$topic" --alter --add-config \
        "retention.ms=$retention_ms,cleanup.policy=[$cleanup],segment.ms=$segment_ms,message.timestamp.type=LogAppendTime"
}

if [ -n "$(tool rpk)" ]; then
    with_rpk
else
    kafka_topics=$(tool kafka-topics.sh kafka-topics)
    kafka_configs=$(tool kafka-configs.sh kafka-configs)
    [ -n "$kafka_topics" ] && [ -n "$kafka_configs" ] ||
        fail "Expected rpk, or kafka-topics.sh and kafka-configs.sh, on the path, was neither"
    with_kafka "$kafka_topics" "$kafka_configs"
fi
echo "$topic: $partitions partitions, retention $retention_ms ms, $cleanup, segment $segment_ms ms"
