# What the scripts share. Source it: . "$(dirname "$0")/lib.sh"
# Sets: root (the repository), build (the folder of cargo's output), cache (a folder for what is installed).
# PROFILE=release has examples built and run as a user would, and not in the dev profile.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${PROFILE:-dev} in
  dev) build=${CARGO_TARGET_DIR:-$root/target}/debug profile=() ;;
  release) build=${CARGO_TARGET_DIR:-$root/target}/release profile=(--release) ;;
  *) echo "PROFILE is dev or release, not $PROFILE" >&2; exit 2 ;;
esac
cache=${TOWER_REALTIME_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tower-realtime}
mkdir -p "$cache"
scratch=$(mktemp -d)
servers=()

# Ends what this script started, by process id, and nothing else.
cleanup() {
  local pid
  for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${servers[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$scratch"
}
trap cleanup EXIT

fail() { echo "$*" >&2; exit 1; }

# need COMMAND PACKAGE: installs a Debian package where the command is missing.
need() {
  command -v "$1" >/dev/null && return
  local as=()
  [ "$(id -u)" = 0 ] || as=(sudo -n)
  command -v apt-get >/dev/null || fail "'$1' is missing, and there is no apt-get to install '$2' with"
  echo "installing $2"
  if ! "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$2" >"$scratch/apt" 2>&1; then
    "${as[@]}" apt-get update >"$scratch/apt" 2>&1 || { cat "$scratch/apt"; fail "apt-get update failed"; }
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$2" >"$scratch/apt" 2>&1 ||
      { tail -20 "$scratch/apt"; fail "could not install $2"; }
  fi
  command -v "$1" >/dev/null || fail "$2 does not bring the command '$1'"
}

# example NAME...: builds examples, in the profile that PROFILE says.
example() {
  local names=() name
  for name; do names+=(--example "$name"); done
  (cd "$root" && cargo build --quiet "${profile[@]}" "${names[@]}")
}

# serve VARIABLE NAME [ARGUMENT...]: starts an example and sets VARIABLE to the first http address that it prints,
# VARIABLE_pid to its process and VARIABLE_log to the file of its output.
serve() {
  local variable=$1 name=$2 log="$scratch/$2.$RANDOM.log" line
  shift 2
  "$build/examples/$name" "$@" >"$log" 2>&1 &
  local pid=$!
  servers+=("$pid")
  for _ in $(seq 200); do
    line=$(grep -o 'http://[0-9.]*:[0-9]*' "$log" | head -1 || true)
    [ -n "$line" ] && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  [ -n "$line" ] || { cat "$log"; fail "$name printed no address"; }
  printf -v "$variable" %s "$line"
  printf -v "${variable}_pid" %s "$pid"
  printf -v "${variable}_log" %s "$log"
}

# free_ports COUNT: ports that are free, and that no outgoing connection is given meanwhile.
free_ports() {
  python3 -c 'import random, socket, sys
sockets = []
while len(sockets) < int(sys.argv[1]):
    each = socket.socket()
    try:
        each.bind(("127.0.0.1", random.randrange(20000, 32000)))
        sockets.append(each)
    except OSError:
        pass
print(*(each.getsockname()[1] for each in sockets))' "$1"
}

# bridge FROM TO PROTOCOL: lets nghttpx listen on one port, for HTTP/1.1 and HTTP/2, and ask the other over PROTOCOL.
bridge() {
  nghttpx --conf=/dev/null --frontend="127.0.0.1,$1;no-tls" --backend="127.0.0.1,$2;;proto=$3" --workers=1 --single-process \
    --log-level=ERROR --accesslog-file=/dev/null --errorlog-file=/dev/stderr 2>"$scratch/nghttpx.$1" &
  servers+=("$!")
  for _ in $(seq 200); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.05
  done
  cat "$scratch/nghttpx.$1"
  fail "nghttpx does not listen"
}

# suites: sets `suites` to a working copy of the shared conformance suites, or ends: with a failure in CI.
suites() {
  local from=${CONFORMANCE:-$root/../shared/conformance}
  if [ ! -d "$from" ]; then
    [ "${CI:-}" != true ] || fail "no conformance suites at $from: set CONFORMANCE to their folder"
    echo "no conformance suites at $from (set CONFORMANCE to their folder): nothing was run"
    exit 0
  fi
  suites=$cache/conformance
  mkdir -p "$suites"
  cp -ru "$from/." "$suites/"
  chmod -R u+w "$suites"
  if ! "$suites/install.sh" >"$scratch/install" 2>&1; then
    apt_update
    "$suites/install.sh" >"$scratch/install" 2>&1 || { tail -20 "$scratch/install"; fail "the suites did not install"; }
  fi
}

apt_update() {
  local as=()
  [ "$(id -u)" = 0 ] || as=(sudo -n)
  "${as[@]}" apt-get update >"$scratch/apt" 2>&1 || { tail -5 "$scratch/apt"; fail "apt-get update failed"; }
}
