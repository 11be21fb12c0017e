# What the parts of Benchmarks/run share: servers on loopback, their CPU time and memory, instructions. Sourced, not run.
# shellcheck shell=bash
# shellcheck source=scripts/support/console.bash
source scripts/support/console.bash
# shellcheck source=scripts/support/processes.bash
source scripts/support/processes.bash

binaries=.build-benchmarks/release
benchmarks=$binaries/GatewayBenchmarks
# The ports of the gateway, of its admin listener, and of the store.
port=19301
admin_port=19302
store_port=19303
work=$(mktemp -d)
trap 'stop_all; rm -rf "$work"' EXIT

build() {
    say "building (release; some minutes the first time)"
    # Lines that tell a warning or an error are shown; a failed build ends the script.
    GATEWAY_BENCHMARKS=1 swift build -c release --scratch-path .build-benchmarks >"$work/build" 2>&1 ||
        { tail -n 30 "$work/build" >&2; fail "the build failed"; }
}

# What the last tenant has beside that.
more_of_last=
# write_configuration TENANTS: tenants tenant-0, tenant-1, …, each with a table of its own, without limits.
write_configuration() {
    cat <<YAML
version: 1
server:
  listen: 127.0.0.1:$port
  admin: {listen: 127.0.0.1:$admin_port}
timestream:
  backend: aws
  region: us-east-1
  write_endpoint: "http://127.0.0.1:$store_port"
  query_endpoint: "http://127.0.0.1:$store_port"
defaults:
  limits: {samples_per_second: unlimited, write_requests_per_second: unlimited, concurrent_writes: 64}
tenants:
YAML
    local number table=prometheus more=
    for ((number = 0; number < $1; number++)); do
        ((number < $1 - 1)) || more=${more_of_last:+, $more_of_last}
        echo "  tenant-$number: {database: metrics, table: $table, auth: none, credentials: {access_key_id: AKIDEXAMPLE$number, secret_access_key: example}$more}"
        table=table-$((number + 1))
    done
}

# Another program than the gateway's own, with its arguments up to the configuration's path.
gateway_command=()
# start_gateway TENANTS: sets `gateway`, its process id.
start_gateway() {
    write_configuration "$1" >"$work/tenants.yaml"
    if ((${#gateway_command[@]})); then
        start gateway "${gateway_command[@]}" "$work/tenants.yaml" >"$work/gateway.log" 2>&1
    else
        start gateway "$binaries/timestream-gateway" serve --config "$work/tenants.yaml" --log.level error \
            >"$work/gateway.log" 2>&1
    fi
    # shellcheck disable=SC2034 # for the parts
    gateway=$started_pid
    wait_until 90 gateway is_port_open "127.0.0.1:$port" || fail "the gateway does not listen" "$(cat "$work/gateway.log")"
}

# start_store DELAY_MS [meter]
start_store() {
    start store "$benchmarks" store "$store_port" "$@"
    # shellcheck disable=SC2034
    store=$started_pid
    wait_until 10 store is_port_open "127.0.0.1:$store_port" || fail "the store does not listen"
}

# CPU milliseconds that a process has used: user and system.
cpu_milliseconds() {
    local fields
    read -r -a fields <"/proc/$1/stat"
    echo $((fields[13] * 1000 / ticks)) $((fields[14] * 1000 / ticks))
}
ticks=$(getconf CLK_TCK)

# MiB of memory that a process has now (VmRSS), or had at most (VmHWM) since it was forgotten.
memory_mib() {
    awk -v name="$2:" '$1 == name { printf "%.0f", $2 / 1024 }' "/proc/$1/status"
}
forget_memory_peak() {
    echo 5 >"/proc/$1/clear_refs"
}

# The media type of the bodies that `send` sends.
media_type=application/x-protobuf
connections=16
# send REQUESTS BODY [URI…]: on so many connections, to the URIs in turn; fails unless all are stored.
send() {
    local requests=$1 body=$2
    shift 2
    (($#)) || set -- "http://127.0.0.1:$port/t/tenant-0/api/v1/write"
    printf '%s\n' "$@" >"$work/uris"
    timeout 300 h2load --h1 -n "$requests" -c "$connections" -t 1 -d "$body" -i "$work/uris" \
        -H "content-type: $media_type" -H 'content-encoding: snappy' >"$work/h2load" 2>&1 || true
    grep -q "$requests 2xx" "$work/h2load" ||
        fail "not all of $requests requests were stored" "$(grep 'status codes' "$work/h2load")" "$(tail -n 5 "$work/gateway.log")"
}

# can_count: whether valgrind is there to count instructions with. It cannot read Swift's debug information, so it runs
# copies without.
can_count() {
    command -v valgrind >/dev/null && command -v objcopy >/dev/null || {
        echo "(left out: instructions are counted by valgrind, which is not installed)"
        return 1
    }
}
without_debug_information() {
    objcopy --strip-debug "$1" "$work/$(basename "$1")"
    echo "$work/$(basename "$1")"
}
# The Swift runtime beside the toolchain, which the copy must find too.
runtime_folder() {
    dirname "$(ldd "$benchmarks" | awk '/libswiftCore/ { print $3 }')"
}
