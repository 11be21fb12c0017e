# The demo of scripts/run: a Prometheus writes to the gateway, loses its data, and reads it back. Sourced, not run.
# Uses scripts/run's admin, payments_proof, prometheus_port and remote_config.
# shellcheck shell=bash disable=SC2154

# The sum of a metric of the gateway's, over the tenant payments.
gateway_count() {
    curl -fsS --max-time 5 --noproxy '*' "$admin/metrics" |
        awk -v name="$1{" 'index($1, name) == 1 && /tenant="payments"/ { sum += $NF } END { printf "%d\n", sum }'
}

# Whether Prometheus has sent, and the gateway acknowledged, every sample up to a time.
has_sent_up_to() {
    curl -fsS --max-time 5 --noproxy '*' "$prometheus/metrics" |
        awk -v time="$1" '/^prometheus_remote_storage_queue_highest_sent_timestamp_seconds/ { sent = $NF }
            END { exit !(sent > time) }'
}

start_demo_prometheus() {
    start prometheus var/tools/prometheus-3/usr/bin/prometheus --config.file=var/demo/prometheus.yml \
        --storage.tsdb.path=var/demo/data --web.listen-address="127.0.0.1:$prometheus_port" --log.level=warn
    wait_until 60 prometheus is_page_ready "$prometheus/-/ready" || fail "Prometheus did not get ready within 60 s"
}

# The answer to a PromQL query at a time, one series a line.
ask_prometheus() {
    var/tools/prometheus-3/usr/bin/promtool query instant --time="$2" "$prometheus" "$1"
}

run_demo() {
    local prometheus=http://127.0.0.1:$prometheus_port before time count read_before answer
    mkdir -p var/demo
    rm -rf var/demo/data

    {
        printf 'global: {scrape_interval: 1s}\n'
        printf 'scrape_configs:\n'
        printf '  - {job_name: prometheus, static_configs: [{targets: ["127.0.0.1:%s"]}]}\n' "$prometheus_port"
        printf '  - {job_name: gateway, static_configs: [{targets: ["%s"]}]}\n' "${admin#http://}"
        remote_config payments "$payments_proof" | sed '/^remote_read/,$d'
        printf '    queue_config: {batch_send_deadline: 1s}\n'
    } >var/demo/prometheus.yml

    before=$(gateway_count gateway_samples_stored_total)
    say "demo: a Prometheus scrapes itself and the gateway, and writes as the tenant payments (mutual TLS)"
    start_demo_prometheus
    # Its first scrapes come after some five seconds; three more give some of each target.
    wait_until 60 prometheus has_sent_up_to 0 || fail "Prometheus' samples did not arrive within 60 s"
    time=$(($(date +%s) + 3))
    wait_until 60 prometheus has_sent_up_to "$time" || fail "Prometheus' samples stopped to arrive"
    stop "$started_pid"
    count=$(($(gateway_count gateway_samples_stored_total) - before))
    say "demo: $count samples are stored; Prometheus is stopped, and its own data removed"

    rm -rf var/demo/data
    {
        printf '# No target, no data: what this Prometheus knows, it reads from the gateway.\n'
        remote_config payments "$payments_proof" | sed '/^remote_write/,/^remote_read/{/^remote_read/!d}'
    } >var/demo/prometheus.yml
    read_before=$(gateway_count gateway_samples_read_total)
    start_demo_prometheus
    say "demo: asking the empty Prometheus for what it knew at $(date -u -d "@$time" +%H:%M:%S) UTC"
    local query
    for query in 'up' 'sum by (job) (scrape_samples_scraped)' 'count({__name__=~"prometheus_http_.*"})'; do
        answer=$(ask_prometheus "$query" "$time")
        [[ -n $answer ]] || fail "the answer to $query is empty"
        printf '\n  %s\n    %s\n' "$query" "${answer//$'\n'/$'\n'    }"
    done
    count=$(($(gateway_count gateway_samples_read_total) - read_before))
    ((count > 0)) || fail "the gateway was not asked"
    cat <<TEXT

This Prometheus has no data of its own: the answers came from the gateway, which read $count samples of the tenant
payments from its store.

To try next, in its console at $prometheus/query, or as
  curl -G $prometheus/api/v1/query --data-urlencode 'query=up[1h]'
TEXT
}
