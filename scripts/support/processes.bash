# Child processes that end with the script, whatever ends it. Sourced, not run.
# shellcheck shell=bash

# Names by process id, in the order of their start.
declare -A children=()
children_order=()
# The process id of what was started last.
started_pid=

# start NAME COMMAND…, in the background
start() {
    local name=$1
    shift
    "$@" </dev/null &
    started_pid=$!
    children[$started_pid]=$name
    children_order+=("$started_pid")
}

# Ends a child by SIGTERM, or by SIGKILL when it takes longer than a gateway's drain may.
stop() {
    local pid=$1 tries=0
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        if ((++tries > 450)); then
            say "${children[$pid]} does not end within 45 s: killed"
            kill -KILL "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
    wait "$pid" 2>/dev/null || true
    unset "children[$pid]"
}

# The youngest first: a Prometheus ends before the gateway that it writes to.
stop_all() {
    local index pid
    for ((index = ${#children_order[@]} - 1; index >= 0; index--)); do
        pid=${children_order[index]}
        [[ -z ${children[$pid]:-} ]] || stop "$pid"
    done
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Whether somebody listens on HOST:PORT; an empty or wildcard host is asked on loopback.
is_port_open() {
    local host=${1%:*} port=${1##*:}
    host=${host#[} host=${host%]}
    case $host in '' | 0.0.0.0 | ::) host=127.0.0.1 ;; esac
    (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null
}

# Whether a page answers with 200.
is_page_ready() {
    curl -fsS --max-time 2 --noproxy '*' -o /dev/null "$1" 2>/dev/null
}

# wait_until SECONDS NAME COMMAND…: whether the command succeeds in time; fails at once when the child NAME has ended.
wait_until() {
    local deadline=$((SECONDS + $1)) name=$2 pid
    shift 2
    until "$@"; do
        for pid in "${!children[@]}"; do
            if [[ ${children[$pid]} == "$name" ]] && ! kill -0 "$pid" 2>/dev/null; then
                fail "$name ended; its own lines say why"
            fi
        done
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}
