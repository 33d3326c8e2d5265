#!/usr/bin/env bash
# How the examples kv and http compare with redis-server and nginx: requests a second, and processor
# time of the server for one request, which says more on a machine that others use as well.
#
#     benches/peers.sh [ROUNDS]
#
# Each server has processor 0 and one thread, the generator has processor 1. Servers take turns. Of each
# the highest rate and the least processor time of all rounds are told, which need not be of the same
# round: each is what it can do while nobody is in its way. How busy a server was is told of its fastest
# round: the rest of the time it slept, and waited for the generator.
#
# A generator pays for waking a server that sleeps. So kv and http are measured a second time with
# --busy-poll-us, which lets them poll a while before they sleep; their processor time for a request counts
# the polling, and is no measure of the work. Needs redis-server, redis-tools, nginx and wrk.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-5}
place=$(mktemp -d)
servers=()
# A server that has ended already is no reason to leave the folder.
trap 'kill "${servers[@]}" 2>/dev/null || true; rm -r "$place"' EXIT

siblings=/sys/devices/system/cpu/cpu0/topology/thread_siblings_list
if [ -r $siblings ] && grep -qE '^0(-|,(.*,)?1(,|-|$))' $siblings; then
    echo "processors 0 and 1 are threads of one core: server and generator slow each other" >&2
fi

cargo build --release --example kv --example http
built="${CARGO_TARGET_DIR:-target}/release/examples"

cat >"$place/nginx.conf" <<CONF
worker_processes 1;
master_process off;
daemon off;
pid $place/nginx.pid;
error_log /dev/null;
events {}
http {
    access_log off;
    keepalive_requests 1000000000;
    server {
        listen 127.0.0.1:7404;
        default_type text/plain;
        location / { return 200 "$(printf 'x%.0s' {1..64})"; }
    }
}
CONF
cat >"$place/pipelined.lua" <<'LUA'
init = function()
    local requests = {}
    for number = 1, 16 do requests[number] = wrk.format("GET", "/") end
    together = table.concat(requests)
end
request = function() return together end
LUA

start() { # PORT COMMAND...
    local port=$1
    shift
    taskset -c 0 "$@" >/dev/null 2>&1 &
    servers+=($!)
    until (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        kill -0 "${servers[-1]}" # or it will never listen
        sleep 0.1
    done
}
start 7401 "$built/kv" 7401
start 7402 redis-server --port 7402 --save '' --appendonly no
start 7403 "$built/http" 7403
start 7404 nginx -c "$place/nginx.conf"
start 7405 "$built/kv" 7405 --busy-poll-us 100
start 7406 "$built/http" 7406 --busy-poll-us 100

# Processor time of a process so far, in ticks of 10 ms.
ticks() {
    awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# measure NAME PID COMMAND...: COMMAND prints requests a second, and how many there were.
measure() {
    local name=$1 pid=$2 before begun after ended rate requests
    shift 2
    before=$(ticks "$pid") begun=${EPOCHREALTIME/[.,]/}
    read -r rate requests < <("$@")
    after=$(ticks "$pid") ended=${EPOCHREALTIME/[.,]/}
    awk -v name="$name" -v rate="$rate" -v requests="$requests" \
        -v busy=$(((after - before) * 10000)) -v wall=$((ended - begun)) \
        'BEGIN { printf "%-24s %10d requests/s  %6.2f us  %3d %% busy\n",
            name, rate, busy / requests, 100 * busy / wall }'
}

redis() { # PORT TEST PIPELINED
    local requests=$((300000 * $3))
    taskset -c 1 redis-benchmark -p "$1" -t "$2" -P "$3" -n $requests -c 50 --csv |
        awk -F '"' -v requests=$requests 'END { print $4, requests }'
}

http() { # PORT WRK-OPTIONS...
    local port=$1
    shift
    taskset -c 1 wrk -t1 -c50 -d4s "$@" "http://127.0.0.1:$port/" |
        awk '/requests in/ { requests = $1 } /Requests\/sec/ { print $2, requests }'
}

for ((round = 0; round < rounds; round++)); do
    for test in set get; do
        for pipelined in 1 16; do
            measure "$test -P $pipelined kv" "${servers[0]}" redis 7401 $test $pipelined
            measure "$test -P $pipelined redis" "${servers[1]}" redis 7402 $test $pipelined
            measure "$test -P $pipelined kv, polls" "${servers[4]}" redis 7405 $test $pipelined
        done
    done
    measure "wrk http" "${servers[2]}" http 7403
    measure "wrk nginx" "${servers[3]}" http 7404
    measure "wrk http, polls" "${servers[5]}" http 7406
    measure "wrk x16 http" "${servers[2]}" http 7403 -s "$place/pipelined.lua"
    measure "wrk x16 nginx" "${servers[3]}" http 7404 -s "$place/pipelined.lua"
    measure "wrk x16 http, polls" "${servers[5]}" http 7406 -s "$place/pipelined.lua"
done | tee "$place/all"

echo "the best rate and the best time of $rounds rounds, and how busy the server was at that rate"
echo "(of those that poll, polling is in the time and in how busy they are):"
sort -k1,1 "$place/all" | awk '{
    name = $0; sub(/ +[0-9]+ requests.*/, "", name)
    for (at = 1; at <= NF; at++) if ($at == "requests/s") { rate = $(at - 1); time = $(at + 1); busy = $(at + 3) }
    if (!(name in rates) || rate > rates[name]) { rates[name] = rate; busies[name] = busy }
    if (!(name in times) || time < times[name]) times[name] = time
} END {
    for (name in rates)
        printf "%-24s %10d requests/s  %6.2f us  %3d %% busy\n", name, rates[name], times[name], busies[name]
}' | sort
